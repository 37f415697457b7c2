import EventLog
import WhatsApp

/// Webhook bodies as the two hostings send them: Cloud wraps its arrays in entry and change and names the business
/// number; on-premise has them at the top and names nothing.
enum WebhookBody {
    static func message(
        _ writing: Customers.Writing, id: String, from person: Customers.Person, to number: SimulatedNumber,
        at now: Timestamp
    ) -> [UInt8] {
        envelope(number) { value in
            contacts(&value, phone: person.phone, name: person.name)
            value.array("messages") { messages in
                messages.objectElement { message in
                    message.member("from", person.phone)
                    message.member("id", id)
                    message.member("timestamp", seconds(now))
                    content(&message, writing, id: id, number: number)
                }
            }
        }
    }

    static func status(
        _ word: String, of sent: SentMessage, name: String?, from number: SimulatedNumber, at now: Timestamp
    ) -> [UInt8] {
        envelope(number) { value in
            if case .phone(let phone) = sent.recipient, let name { contacts(&value, phone: phone, name: name) }
            value.array("statuses") { statuses in
                statuses.objectElement { status in
                    status.member("id", sent.id)
                    status.member("status", word)
                    status.member("timestamp", seconds(now))
                    recipient(&status, sent.recipient)
                    switch number.hosting {
                    case .cloud: cloudDetails(&status, word, sent)
                    case .onPremise: onPremiseDetails(&status, word, sent, now)
                    }
                }
            }
        }
    }

    private static func envelope(_ number: SimulatedNumber, _ build: (inout JSONWriter) -> Void) -> [UInt8] {
        guard number.hosting == .cloud else { return JSONWriter.object(build) }
        return JSONWriter.object { body in
            body.member("object", "whatsapp_business_account")
            body.array("entry") { entries in
                entries.objectElement { entry in
                    entry.member("id", number.wabaID)
                    entry.array("changes") { changes in
                        changes.objectElement { change in
                            change.object("value") { value in
                                value.member("messaging_product", "whatsapp")
                                value.object("metadata") { metadata in
                                    metadata.member("display_phone_number", number.displayPhoneNumber)
                                    metadata.member("phone_number_id", number.phoneNumberID)
                                }
                                build(&value)
                            }
                            change.member("field", "messages")
                        }
                    }
                }
            }
        }
    }

    private static func contacts(_ value: inout JSONWriter, phone: String, name: String) {
        value.array("contacts") { contacts in
            contacts.objectElement { contact in
                contact.object("profile") { $0.member("name", name) }
                contact.member("wa_id", phone)
            }
        }
    }

    private static func content(
        _ message: inout JSONWriter, _ writing: Customers.Writing, id: String, number: SimulatedNumber
    ) {
        switch writing {
        case .text(let text):
            message.member("type", "text")
            message.object("text") { $0.member("body", text) }
        case .image:
            message.member("type", "image")
            message.object("image") { image in
                // Nothing can be fetched by it: media are not simulated.
                image.member("id", "media-\(id.suffix(12))")
                image.member("mime_type", "image/jpeg")
                image.member("sha256", "Qg/OMUF130Aq2+rjz7u4VmW3LYubwjRvRj4yqC9ksRQ=")
            }
        case .reaction(let target):
            message.member("type", "reaction")
            message.object("reaction") { reaction in
                reaction.member("message_id", target)
                reaction.member("emoji", "👍")
            }
        case .tap(let choice, let target):
            message.object("context") { context in
                context.member("from", number.displayPhoneNumber)
                context.member("id", target)
            }
            message.member("type", "interactive")
            message.object("interactive") { interactive in
                let type = choice.isRow ? "list_reply" : "button_reply"
                interactive.member("type", type)
                interactive.object(type) { reply in
                    reply.member("id", choice.id)
                    reply.member("title", choice.title)
                }
            }
        }
    }

    private static func recipient(_ status: inout JSONWriter, _ recipient: SentMessage.Recipient) {
        switch recipient {
        case .phone(let phone): status.member("recipient_id", phone)
        case .userID(let id): status.member("recipient_user_id", id)
        case .group(let id):
            status.member("recipient_id", id)
            status.member("recipient_type", "group")
        }
    }

    /// The caller's tag comes with every status, the price with sent and one of delivered and read (Meta: status
    /// messages webhook reference).
    private static func cloudDetails(_ status: inout JSONWriter, _ word: String, _ sent: SentMessage) {
        status.memberIfPresent("biz_opaque_callback_data", sent.tag)
        guard word == "sent" || word == "delivered" else { return }
        status.object("pricing") { pricing in
            pricing.member("billable", sent.isTemplate)
            pricing.member("pricing_model", "PMP")
            pricing.member("type", sent.isTemplate ? "regular" : "free_customer_service")
            pricing.member("category", sent.isTemplate ? "utility" : "service")
        }
    }

    private static func onPremiseDetails(
        _ status: inout JSONWriter, _ word: String, _ sent: SentMessage, _ now: Timestamp
    ) {
        guard word == "sent" || word == "delivered" else { return }
        let origin = sent.isTemplate ? "business_initiated" : "user_initiated"
        status.object("conversation") { conversation in
            conversation.member("id", "conversation-\(sent.id.suffix(12))")
            if word == "sent" {
                conversation.member("expiration_timestamp", (now + .seconds(86_400)).milliseconds / 1_000)
            }
            conversation.object("origin") { $0.member("type", origin) }
        }
        status.object("pricing") { pricing in
            pricing.member("pricing_model", "CBP")
            pricing.member("billable", sent.isTemplate)
            pricing.member("category", origin)
        }
    }

    /// WhatsApp writes Unix seconds as a string.
    private static func seconds(_ now: Timestamp) -> String { "\(now.milliseconds / 1_000)" }
}
