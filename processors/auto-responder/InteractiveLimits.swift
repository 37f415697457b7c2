/// The platform's limits of interactive messages (Meta: interactive reply buttons, interactive lists).
struct InteractiveLimits {
    let rule: String
    let line: Int?

    func check(_ content: ReplyTemplate.Value) throws(RulesError) {
        let kind = try text(content, "type", 1...64, "")
        guard let action = content["action"], case .object = action else { throw fault("action", "must be a mapping") }
        if content["footer"] != nil { _ = try text(content["footer"], "text", 1...60, "footer.") }
        if content["header"]?["type"]?.text?.filled(name: nil) == "text" {
            _ = try text(content["header"], "text", 1...60, "header.")
        }
        switch kind {
        case "button":
            _ = try text(content["body"], "text", 1...1_024, "body.")
            try buttons(action)
        case "list":
            _ = try text(content["body"], "text", 1...4_096, "body.")
            _ = try text(action, "button", 1...20, "action.")
            try rows(action)
        default: break  // Other kinds have limits of their own, checked by the platform.
        }
    }

    private func buttons(_ action: ReplyTemplate.Value) throws(RulesError) {
        let buttons = action["buttons"]?.elements ?? []
        guard (1...3).contains(buttons.count) else { throw fault("action.buttons", "must be 1 to 3 buttons") }
        var ids: Set<String> = []
        var titles: Set<String> = []
        for button in buttons {
            let id = try text(button["reply"], "id", 1...256, "action.buttons.reply.")
            let title = try text(button["reply"], "title", 1...20, "action.buttons.reply.")
            guard ids.insert(id).inserted else { throw fault("action.buttons.reply.id", "used twice") }
            guard titles.insert(title).inserted else { throw fault("action.buttons.reply.title", "used twice") }
        }
    }

    private func rows(_ action: ReplyTemplate.Value) throws(RulesError) {
        let sections = action["sections"]?.elements ?? []
        guard (1...10).contains(sections.count) else { throw fault("action.sections", "must be 1 to 10 sections") }
        for section in sections where sections.count > 1 || section["title"] != nil {
            _ = try text(section, "title", 1...24, "action.sections.")
        }
        let rows = sections.flatMap { $0["rows"]?.elements ?? [] }
        guard (1...10).contains(rows.count) else { throw fault("action.sections.rows", "must be 1 to 10 rows in all") }
        var ids: Set<String> = []
        for row in rows {
            let id = try text(row, "id", 1...200, "action.sections.rows.")
            _ = try text(row, "title", 1...24, "action.sections.rows.")
            if row["description"] != nil { _ = try text(row, "description", 1...72, "action.sections.rows.") }
            guard ids.insert(id).inserted else { throw fault("action.sections.rows.id", "used twice") }
        }
    }

    private func text(
        _ parent: ReplyTemplate.Value?, _ name: String, _ length: ClosedRange<Int>, _ path: String
    ) throws(RulesError) -> String {
        guard let text = parent?[name]?.text, length.contains(text.maxLength) else {
            throw fault(path + name, "must be text of \(length.lowerBound) to \(length.upperBound) characters")
        }
        return text.filled(name: nil)
    }

    private func fault(_ field: String, _ reason: String) -> RulesError {
        RulesError(rule: rule, field: "reply.interactive.\(field)", reason: reason, line: line)
    }
}
