import Service

await MillraceService.main { host in AnalyticsProcessor(topics: host.settings.topics) }
