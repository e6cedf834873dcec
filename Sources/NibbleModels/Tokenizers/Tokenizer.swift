/// Turns text into token ids and back.
///
/// A value is immutable and may be used from many threads at once. Encoding takes time linear in the text for
/// the tokenizers with hand-written scanners, O(n log n) in the longest piece.
public struct Tokenizer: Sendable {
  /// What the tokenizer was made from.
  public let definition: TokenizerDefinition
  let decoder: TokenDecoder
  private let encoder: TokenEncoder

  /// Prepares a tokenizer.
  ///
  /// - Throws: ``ModelError/Code/tokenizer`` when the definition asks for something that is not supported or wrong.
  public init(_ definition: TokenizerDefinition) throws(ModelError) {
    self.definition = definition
    decoder = try TokenDecoder(definition)
    encoder = try TokenEncoder(definition)
  }

  /// The tokens of a text.
  ///
  /// - Parameters:
  ///   - text: any text.
  ///   - addSpecialTokens: put the begin and end tokens around it that the definition asks for.
  ///   - parseSpecialTokens: read the spelling of a special token in the text as that token; false for text from
  ///     strangers. Tokens added to the vocabulary that are not special are found in either case.
  /// - Returns: ids below ``TokenizerDefinition/vocabularySize``.
  public func encode(
    _ text: String, addSpecialTokens: Bool = true, parseSpecialTokens: Bool = true
  ) -> [Int] {
    var tokens: [Int] = []
    if addSpecialTokens { tokens += definition.prefixTokenIDs }
    encoder.encode(Array(text.utf8), parsesSpecial: parseSpecialTokens, into: &tokens)
    if addSpecialTokens { tokens += definition.suffixTokenIDs }
    return tokens
  }

  /// The text of tokens. Ids outside the vocabulary are left out; bytes that are not UTF-8 become U+FFFD.
  ///
  /// - Parameters:
  ///   - tokens: ids, as ``encode(_:addSpecialTokens:parseSpecialTokens:)`` gives them.
  ///   - skipSpecialTokens: leave special tokens out of the text.
  /// - Returns: the text, without the space that the tokenizer puts in front of texts.
  public func decode(_ tokens: [Int], skipSpecialTokens: Bool = true) -> String {
    var bytes: [UInt8] = []
    for token in tokens where !(skipSpecialTokens && decoder.isSpecial(token)) {
      bytes += decoder.bytes(of: token)
    }
    let strip = decoder.leadingStrip
    let stripped = bytes.prefix(strip.count).prefix { $0 == strip.byte }.count
    return String(decoding: bytes[stripped...], as: UTF8.self)
  }

  /// The bytes that a token adds to a text; none for an id outside the vocabulary.
  public func bytes(of token: Int) -> [UInt8] { Array(decoder.bytes(of: token)) }
}
