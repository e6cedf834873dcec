import NibbleCheckpoints
import NibbleModels
import NibbleTensors
import Testing

@Suite("Mutated chat templates")
struct ChatTemplateFuzzTests {
  /// Pieces that make mutants more likely to get past the lexer.
  private static let pieces = [
    "{{", "}}", "{%", "%}", "{#", "#}", "{%-", "-%}", "{{-", "-}}", "{% endif %}", "{% endfor %}",
    "{% else %}", "{% break %}", "{% raw %}", "if ", " else ", " is ", " in ", "not ", "[", "]",
    "(", ")", "{", "}", "'", "\"", "\\", "|", ".", ",", ":", "**", "//", "~", "==", "loop.", "ns.",
    "-1", "0", "99999999999999999999", "1e308", "range(9999)", "namespace()", "|tojson", "|list",
    "|join", "|map('upper')", "|sort", "[::-1]", "[1:]", "é", "\u{1F30D}", "\u{85}", "\r", "\n",
    "messages", "none", "*args", "**kw", "caller()", "{% set x = ", "{% macro m(a) %}", "m(1)",
  ]

  private func mutant(
    _ source: [Unicode.Scalar], _ others: [[Unicode.Scalar]], _ random: inout RandomSource
  )
    -> String
  {
    var scalars = source
    for _ in 0...Int.random(in: 0..<4, using: &random) {
      let position = Int.random(in: 0...scalars.count, using: &random)
      let length = min(
        Int.random(in: 0...(1 << Int.random(in: 0...6, using: &random)), using: &random),
        scalars.count - position)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: scalars.removeSubrange(position..<position + length)
      case 1:
        let copy = Array(scalars[position..<position + length])
        scalars.insert(contentsOf: copy, at: Int.random(in: 0...scalars.count, using: &random))
      case 2:
        let other = others[Int.random(in: 0..<others.count, using: &random)]
        let start = Int.random(in: 0...other.count, using: &random)
        let end = min(other.count, start + Int.random(in: 0...80, using: &random))
        scalars.insert(contentsOf: other[start..<end], at: position)
      case 3 where position < scalars.count:
        scalars[position] = Unicode.Scalar(UInt8.random(in: 0..<128, using: &random))
      default:
        let piece = Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &random)]
        scalars.insert(contentsOf: piece.unicodeScalars, at: position)
      }
    }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }

  @Test("20,000 mutants end with text or one clear error", .timeLimit(.minutes(2)))
  func mutants() throws {
    let seed: UInt64 = 20_240_706
    print("chat template fuzz: seed \(seed)")
    var random = RandomSource(seed: seed)
    let small = try TemplateCase.features()
    let large = try TemplateCase.conversations()
    let sources = small.map { Array($0.source.unicodeScalars) }
    let largeSources = large.map { Array($0.source.unicodeScalars) }
    var limits = TemplateLimits()
    limits.steps = 20_000
    limits.outputBytes = 1 << 16
    var (rendered, refused) = (0, 0)
    for round in 0..<20_000 {
      let isLarge = round % 8 == 0
      let index = Int.random(in: 0..<(isLarge ? large : small).count, using: &random)
      let one = isLarge ? large[index] : small[index]
      let source = mutant((isLarge ? largeSources : sources)[index], sources, &random)
      do {
        let text = try ChatTemplate(source: source, limits: limits).render(
          one.variables, date: TemplateCase.date)
        #expect(text.utf8.count <= limits.outputBytes)
        rendered += 1
      } catch {
        #expect(error.code == .template)
        #expect(error.message.hasPrefix("chat template, line "), "\(error) for \(source)")
        refused += 1
      }
    }
    #expect(rendered > 2000, "mutants should often stay lawful")
    #expect(refused > 2000, "mutants should often be refused")
  }
}
