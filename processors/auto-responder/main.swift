import Service

await MillraceService.main { host in
    do {
        let rules = try ReplyRules.load(path: host.environment["MILLRACE_RULES"])
        return AutoResponderProcessor(topics: host.settings.topics, rules: rules)
    } catch let error as RulesError {
        throw SettingError("MILLRACE_RULES", "\(error)")
    }
}
