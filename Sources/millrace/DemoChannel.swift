import Foundation

/// The channel that `millrace up` invents when none is configured: it talks to the simulator on this machine only.
enum DemoChannel {
    static let name = "demo"
    static let phoneNumberID = "700100200300501"
    static let wabaID = "900100200300401"
    static let displayPhoneNumber = "15550009001"
    static let webhookUser = "demo"
    static let webhookPassword = "demo-only"
    static let apiKey = "demo-key"
    static let commandToken = "demo-only-send-token"

    /// Writes the channels file and returns its path.
    static func write(in directory: String, simulatorPort: Int) throws -> String {
        let path = "\(directory)/channels.yaml"
        let yaml = """
            # Written by `millrace up` for the simulator; set MILLRACE_CHANNELS to use your own file.
            channels:
              \(name):
                hosting: cloud
                phone_number_id: "\(phoneNumberID)"
                waba_id: "\(wabaID)"
                display_phone_number: "\(displayPhoneNumber)"
                webhook:
                  basic: { user: \(webhookUser), password: \(webhookPassword) }
                api_key: \(apiKey)
                base_url: http://127.0.0.1:\(simulatorPort)

            """
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        return path
    }

    /// Writes the file of those who may send commands and returns its path.
    static func writePrincipals(in directory: String) throws -> String {
        let path = "\(directory)/principals.yaml"
        let yaml = """
            # Written by `millrace up`; set MILLRACE_COMMANDS_PRINCIPALS to use your own file.
            principals:
              demo:
                token: \(commandToken)
                channels: [\(name)]

            """
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        return path
    }

    /// A message to a customer, as `POST /v1/commands` takes it.
    static let sampleCommand =
        #"{"channel":"demo","to":"15550001111","purpose":"utility","message":{"type":"text","text":{"body":"Your order is on its way."}}}"#

    /// A customer's "hello" as 360dialog would deliver it. `$(date +%s)` makes each call a new message of now; the
    /// quotes around it end and begin the shell's single quotes.
    static let sampleWebhook =
        #"{"object":"whatsapp_business_account","entry":[{"id":"900100200300401","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550009001","phone_number_id":"700100200300501"},"contacts":[{"profile":{"name":"Ana"},"wa_id":"15550001111"}],"messages":[{"from":"15550001111","id":"wamid.hand-'$(date +%s)'","timestamp":"'$(date +%s)'","type":"text","text":{"body":"hello"}}]}}]}]}"#
}
