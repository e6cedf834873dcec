public import NibbleCheckpoints

/// One turn of a conversation, as chat templates see it: a JSON object with `role`, `content` and
/// what else a template may read (`tool_calls`, `name`, `reasoning_content`).
public struct ChatMessage: Sendable, Equatable {
  /// All members of the message, in order.
  public var members: JSONObject

  /// Who speaks: `system`, `user`, `assistant` or `tool`.
  public var role: String {
    get { members["role"]?.string ?? "" }
    set { members["role"] = .string(newValue) }
  }

  /// What is said; empty where the message has no text, as in one that only calls tools.
  public var content: String {
    get { members["content"]?.string ?? "" }
    set { members["content"] = .string(newValue) }
  }

  public init(role: String, content: String) {
    members = JSONObject(["role": .string(role), "content": .string(content)])
  }

  /// Takes a message with all its members, among them tool calls and content in parts.
  ///
  /// - Throws: ``ModelError`` with code `request` when `json` is not an object with a `role`.
  public init(json: JSONValue) throws(ModelError) {
    guard let object = json.object, object["role"]?.string != nil else {
      throw ModelError(.request, "a chat message must be a JSON object with a string \"role\"")
    }
    members = object
  }
}
