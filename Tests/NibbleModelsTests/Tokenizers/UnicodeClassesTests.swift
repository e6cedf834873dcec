import NibbleModels
import Testing

@Suite struct UnicodeClassesTests {
  /// The table takes short cuts through blocks of one kind; this asks the properties of every scalar.
  @Test func agreesWithThePropertiesOfEveryScalar() {
    let classes = UnicodeClasses.shared
    var differing: [Unicode.Scalar] = []
    for value in 0...UInt32(0x10FFFF) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let properties = scalar.properties
      let category = properties.generalCategory
      var expected: UInt8 = properties.isWhitespace ? UnicodeClasses.space : 0
      switch category {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
        expected |= UnicodeClasses.letter
      case .decimalNumber, .letterNumber, .otherNumber: expected |= UnicodeClasses.number
      case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
        .initialPunctuation, .finalPunctuation, .otherPunctuation:
        expected |= UnicodeClasses.punctuation
      case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol:
        if scalar.isASCII { expected |= UnicodeClasses.punctuation }
      default: break
      }
      let isMark =
        category == .nonspacingMark || category == .spacingMark || category == .enclosingMark
      if isMark || properties.isAlphabetic || properties.isJoinControl
        || category == .decimalNumber || category == .connectorPunctuation
      {
        expected |= UnicodeClasses.word
      }
      let hasNoCase = category == .modifierLetter || category == .otherLetter || isMark
      if hasNoCase || category == .uppercaseLetter || category == .titlecaseLetter {
        expected |= UnicodeClasses.upper
      }
      if hasNoCase || category == .lowercaseLetter { expected |= UnicodeClasses.lower }
      if classes[value] != expected { differing.append(scalar) }
    }
    #expect(differing.isEmpty, "\(differing.prefix(20))")
  }
}
