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

  /// The members as a template sees them: what the model thought is there under the names `reasoning_content` and
  /// `thinking`, whichever of these and `reasoning` the message has.
  var templateMembers: JSONObject {
    let names = ["reasoning_content", "thinking", "reasoning"]
    let thoughts = names.lazy.compactMap { members[$0] }.first { !$0.isNull }
    guard let thoughts else { return members }
    var result = JSONObject()
    result["thinking"] = thoughts
    for name in members.keys { result[name] = members[name] }
    result["reasoning_content"] = thoughts
    return result
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
