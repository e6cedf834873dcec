/// What a SentencePiece model file (`tokenizer.model`, `spiece.model`) says.
///
/// The file is a protobuf message, `ModelProto` of sentencepiece_model.proto (Kudo and Richardson 2018): the pieces in
/// order of their ids, how they were trained, and how text is normalized.
struct SentencePieceFile {
  struct Piece {
    var text: String
    var score: Float = 0
    var kind = TokenKind.normal
  }

  enum Model: UInt64 { case unigram = 1, bytePair, word, character }

  var pieces: [Piece] = []
  var model = Model.unigram
  var fallsBackToBytes = false
  var marksSpaceBehind = false
  /// The ids of the tokens that begin and end a text, as the training named them; perhaps none has such an id.
  var beginID = 1
  var endID = 2
  /// The table of character replacements, ``CharacterMap``; empty for none.
  var characterMap: [UInt8] = []
  var addsSpace = true
  var removesExtraSpaces = true
  var escapesSpaces = true

  /// - Throws: ``ModelError/Code/tokenizer`` for a file that is no such message or contradicts itself.
  init(_ bytes: [UInt8]) throws(ModelError) {
    var reader = ProtobufReader(bytes)
    while let (number, value) = try reader.next() {
      guard case .bytes(let range) = value else { continue }
      switch number {
      case 1:
        guard pieces.count < TokenizerDefinition.largestVocabulary else {
          throw .tokenizer("pieces", "more than \(TokenizerDefinition.largestVocabulary)")
        }
        pieces.append(try Self.piece(bytes, range, pieces.count))
      case 2: try readTraining(bytes, range)
      case 3: try readNormalization(bytes, range)
      default: break
      }
    }
    guard !pieces.isEmpty else { throw ModelError(.tokenizer, "not a SentencePiece model") }
  }

  private static func piece(_ bytes: [UInt8], _ range: Range<Int>, _ id: Int) throws(ModelError)
    -> Piece
  {
    var piece = Piece(text: "")
    var reader = ProtobufReader(bytes, in: range)
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (1, .bytes(let text)):
        guard let text = String(validating: bytes[text], as: UTF8.self) else {
          throw .tokenizer("pieces[\(id)].piece", "not UTF-8")
        }
        piece.text = text
      case (2, .fixed32(let bits)):
        piece.score = Float(bitPattern: bits)
        guard piece.score.isFinite else { throw .tokenizer("pieces[\(id)].score", "not a number") }
      case (3, .varint(let type)):
        guard let kind = Int32(exactly: type).flatMap(TokenKind.init(rawValue:)) else {
          throw .tokenizer("pieces[\(id)].type", "unknown type \(type)")
        }
        piece.kind = kind
      default: break
      }
    }
    return piece
  }

  private mutating func readTraining(_ bytes: [UInt8], _ range: Range<Int>) throws(ModelError) {
    var reader = ProtobufReader(bytes, in: range)
    while let (number, value) = try reader.next() {
      guard case .varint(let value) = value else { continue }
      switch number {
      case 3:
        guard let model = Model(rawValue: value) else {
          throw .tokenizer("trainer_spec.model_type", "unknown type \(value)")
        }
        self.model = model
      // Absent tokens have the id -1.
      case 41: beginID = Int(truncatingIfNeeded: value)
      case 42: endID = Int(truncatingIfNeeded: value)
      case 24: marksSpaceBehind = value != 0
      case 35: fallsBackToBytes = value != 0
      default: break
      }
    }
  }

  private mutating func readNormalization(_ bytes: [UInt8], _ range: Range<Int>)
    throws(ModelError)
  {
    var reader = ProtobufReader(bytes, in: range)
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (2, .bytes(let range)): characterMap = Array(bytes[range])
      case (3, .varint(let value)): addsSpace = value != 0
      case (4, .varint(let value)): removesExtraSpaces = value != 0
      case (5, .varint(let value)): escapesSpaces = value != 0
      default: break
      }
    }
  }
}
