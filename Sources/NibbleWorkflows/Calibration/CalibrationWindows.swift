public import NibbleModels
internal import NibbleTensors

/// Which parts of a text a calibration takes.
public struct CalibrationWindows: Sendable {
  /// The most windows to take.
  public var limit = 64
  /// Tokens of a window.
  public var tokenCount = 512
  /// Draws where the first window begins; nil begins with the text.
  public var seed: UInt64?

  public init() {}

  /// Cuts windows without overlap, one after another. Where the tokenizer puts a begin token before texts, each window's first
  /// token becomes one, as in llama.cpp.
  ///
  /// - Returns: at most ``limit`` windows of ``tokenCount`` tokens.
  /// - Throws: `ModelError` when the text gives no window, or a window is longer than the model's context.
  public func cut(_ text: CalibrationText, for model: LanguageModel) throws(ModelError) -> [[Int]] {
    guard tokenCount >= 2, limit >= 1 else {
      throw ModelError(.request, "a calibration needs at least one window of 2 tokens")
    }
    guard tokenCount <= model.config.contextCount else {
      throw ModelError(
        .request,
        "a window of \(tokenCount) tokens exceeds the context of \(model.config.contextCount)",
        file: model.path)
    }
    let tokens = try text.tokens(model)
    let count = min(limit, tokens.count / tokenCount)
    guard count > 0 else {
      throw ModelError(
        .request,
        "the text \(text.name) has \(tokens.count) tokens, less than one window of \(tokenCount)")
    }
    var start = 0
    if let seed {
      var random = RandomSource(seed: seed)
      start = Int.random(in: 0...tokens.count - count * tokenCount, using: &random)
    }
    let definition = model.tokenizer.definition
    let beginToken = definition.addsBeginToken ? definition.beginTokenID : nil
    return (0..<count).map { index in
      let first = start + index * tokenCount
      var window = Array(tokens[first..<first + tokenCount])
      if let beginToken { window[0] = beginToken }
      return window
    }
  }
}
