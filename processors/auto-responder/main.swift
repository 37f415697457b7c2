import Service

await MillraceService.main { host in
    do {
        let rules = try ReplyRules.load(path: host.environment["MILLRACE_RULES"])
        return AutoResponderProcessor(topics: host.settings.topics, rules: rules)
    } catch {
        throw SettingError("MILLRACE_RULES", "\(error)")
    }
}
