import Foundation
import Testing
import Yams

/// The contract of the endpoint, and as much of JSON Schema as it uses.
struct Contract {
    typealias Object = [String: Any]

    let root: Object

    init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../deploy/contracts/commands.openapi.yaml")
        root = try #require(try Yams.load(yaml: String(contentsOf: file, encoding: .utf8)) as? Object)
    }

    func at(_ path: String...) throws -> Object {
        try path.reduce(root) { try #require($0[$1] as? Object, "\($1)") }
    }

    func schema(_ name: String) throws -> Object { try at("components", "schemas", name) }

    /// What is wrong with the value by the schema; nil when nothing is.
    func fault(_ value: Any, _ schema: Object, at path: String = "$") throws -> String? {
        if let reference = schema["$ref"] as? String {
            return try fault(value, try self.schema(String(reference.split(separator: "/").last ?? "")), at: path)
        }
        let unknown = Set(schema.keys).subtracting([
            "type", "description", "enum", "minLength", "maxLength", "minimum", "maximum", "properties", "required",
            "additionalProperties", "oneOf",
        ])
        if !unknown.isEmpty { return "\(path): the test does not know \(unknown)" }
        if let words = schema["enum"] as? [String], !words.contains(value as? String ?? "") { return "\(path): enum" }
        switch schema["type"] as? String {
        case "string":
            guard let text = value as? String else { return "\(path): no string" }
            let length = text.unicodeScalars.count
            if length < schema["minLength"] as? Int ?? 0 || length > schema["maxLength"] as? Int ?? .max { return "\(path): length" }
        case "integer":
            guard let number = value as? Int, !(value is Bool) else { return "\(path): no integer" }
            if number < schema["minimum"] as? Int ?? .min || number > schema["maximum"] as? Int ?? .max { return "\(path): range" }
        case "boolean": if !(value is Bool) { return "\(path): no boolean" }
        case "object": return try objectFault(value, schema, path)
        default: break
        }
        return nil
    }

    private func objectFault(_ value: Any, _ schema: Object, _ path: String) throws -> String? {
        guard let object = value as? Object else { return "\(path): no object" }
        func lacks(_ schema: Object) -> Bool { !Set(schema["required"] as? [String] ?? []).isSubset(of: object.keys) }
        if lacks(schema) { return "\(path): required" }
        if let choices = schema["oneOf"] as? [Object], choices.count(where: { !lacks($0) }) != 1 { return "\(path): oneOf" }
        let properties = schema["properties"] as? [String: Object] ?? [:]
        for (name, member) in object {
            if let property = properties[name] {
                if let fault = try fault(member, property, at: "\(path).\(name)") { return fault }
            } else if schema["additionalProperties"] as? Bool == false {
                return "\(path).\(name): not known"
            }
        }
        return nil
    }
}
