import Service

await MillraceService.main { host in StatusTrackerProcessor(topics: host.settings.topics) }
