import EventLog

/// Numbers that must not send, and templates.
extension SendLimiterState {
    /// Stops a number, and sends those away who would wait too long.
    mutating func hold(
        _ number: String, for length: Duration, isToldLater: Bool, at now: Duration
    ) -> [Decision] {
        lanes[number]?.hold = Hold(at: now, for: length, isToldLater: isToldLater)
        guard length > configuration.maxWait else { return [] }
        let waiting = waiters.filter { $0.value.admission.number == number }.map(\.key).sorted()
        return waiting.map { id in
            remove(id)
            return .refuse(id, SendRefusal(.held, retryAfter: length))
        }
    }

    mutating func pauseTemplate(_ key: String, at now: Duration) {
        if templates[key] == nil, templates.count >= configuration.maxTemplates,
            let oldest = templates.min(by: { $0.value.until < $1.value.until })
        {
            templates[oldest.key] = nil
        }
        templates[key] = Hold(at: now, for: configuration.templateHold)
    }

    func templateKey(_ admission: SendAdmission) -> String? {
        guard let template = admission.template else { return nil }
        return templateKey(template, account: lanes[admission.number]?.account ?? admission.number)
    }

    func templateKey(_ template: String, account: String) -> String { "\(account)/\(template)" }
}
