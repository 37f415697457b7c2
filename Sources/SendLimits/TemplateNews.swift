import EventLog
import WhatsApp

/// That a template may, or may not, be used: the value of the topic that `LearnedLimit` has, under a key of its own.
///
///     {"scope":"template","account":"900…","template":"promo/en","usable":false,"at":…}
public struct TemplateNews: Sendable, Hashable {
    public var account: String
    /// As `SendAdmission.template` names it.
    public var template: String
    public var isUsable: Bool
    public var at: Timestamp

    public init(account: String, template: String, isUsable: Bool, at: Timestamp) {
        self.account = account
        self.template = template
        self.isUsable = isUsable
        self.at = at
    }

    public var key: String { "template:\(account)/\(template)" }

    public var value: [UInt8] {
        JSONWriter.object { json in
            json.member("scope", "template")
            json.member("account", account)
            json.member("template", template)
            json.member("usable", isUsable)
            json.member("at", at.milliseconds)
        }
    }

    /// Nil when the bytes are not such a value.
    public init?(value: [UInt8]) {
        guard let json = try? JSON(parsing: value), json["scope"]?.string == "template",
            let account = json["account"]?.string, let template = json["template"]?.string,
            let isUsable = json["usable"]?.bool, let at = json["at"]?.integer
        else { return nil }
        self.init(account: account, template: template, isUsable: isUsable, at: Timestamp(milliseconds: at))
    }
}

extension SendLimiter {
    /// Takes over news of a template. A pause of long ago is found out by trying, as it would be by now anyway.
    public func learn(_ news: TemplateNews, now: Timestamp) {
        if news.isUsable {
            resumeTemplate(news.template, account: news.account)
        } else if now - news.at < templateHold {
            pauseTemplate(news.template, account: news.account)
        }
    }
}
