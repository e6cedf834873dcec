import ArgumentParser
import Foundation
import Nibble

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Show how numbers, block types and memory work out, bit by bit.",
    discussion: """
      With numbers: how each number format stores them. With --type: where each bit of a type goes, and the sum that \
      gives its bits per weight. With --memory: the bytes that so many weights take. With --method: a few values quantized, \
      number by number.

      FORMAT is one of: \(NumberFormat.all.map(\.name).joined(separator: " ")).

      METHOD is one of: \(WorkedExample.Method.allCases.map(\.rawValue).joined(separator: " ")).

      Examples:
        nibble explain 3.1415 --format fp16,bf16,int8
        nibble explain -0.1 1e30 nan --format fp8-e4m3 --saturate
        nibble explain --type q4_k
        nibble explain --type int4-g128-asym
        nibble explain --memory 70e9
        nibble explain --method absmax --values '1.2,-0.5,3.1,0.02'
        nibble explain --method mse --type int4-row-asym --values '-0.9,0.1,0.4,3.7'
      """)

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("Numbers to store; integers share one scale.", valueName: "number"))
  var numbers: [String] = []

  @Option(
    help: ArgumentHelp(
      "Number formats, with commas between them (default: all).", valueName: "format,…"))
  var format: String?

  @Flag(help: "Numbers that are too large become the largest one, not infinity or NaN.")
  var saturate = false

  @Option(
    help: ArgumentHelp(
      "A block type, a scheme or a number format to take apart.", valueName: "type"))
  var type: String?

  @Option(
    help: ArgumentHelp(
      "The matrix, where a type's size depends on it (default: 4096x4096).",
      valueName: "rows>x<columns"))
  var shape: MatrixShape?

  @Option(
    help: ArgumentHelp("A number of weights: 70e9, 135M, 7b.", valueName: "parameters"))
  var memory: String?

  @Option(
    help: ArgumentHelp(
      "A method to walk through; --type may choose its scheme.", valueName: "method"))
  var method: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Values for --method, with commas between them (default: normal ones).", valueName: "x,…"))
  var values: String?

  @Flag(help: "Print one JSON object on standard output and nothing else there.")
  var json = false

  /// What the command was asked to explain.
  enum Subject {
    case numbers([Double], [NumberFormat])
    case type(TypeSubject)
    case memory(parameterCount: Int)
    case method(WorkedExample)
  }

  func validate() throws { _ = try subject() }

  func run() throws {
    switch try subject() {
    case .numbers(let values, let formats): explain(values, in: formats)
    case .type(let type): try explain(type)
    case .memory(let parameterCount): try explainMemory(of: parameterCount)
    case .method(let example): explain(example)
    }
  }

  private func subject() throws -> Subject {
    let isAboutNumbers = !numbers.isEmpty || format != nil
    let isAboutType = type != nil && method == nil
    guard
      [isAboutNumbers, isAboutType, memory != nil, method != nil].filter({ $0 }).count == 1
    else {
      throw ValidationError(
        "Give numbers or --format, or --type, or --memory, or --method: one of them.")
    }
    if values != nil && method == nil { throw ValidationError("--values belongs to --method.") }
    if saturate && !isAboutNumbers { throw ValidationError("--saturate is for numbers.") }
    if shape != nil && !isAboutType { throw ValidationError("--shape belongs to --type.") }
    if let method {
      return .method(try Self.example(method: method, values: values, scheme: type))
    }
    if let type { return .type(try TypeSubject(name: type)) }
    if let memory {
      guard let count = WeightMemory.parameterCount(memory) else {
        throw ValidationError("--memory \(memory): no number of weights; write 70e9, 135M or 7b.")
      }
      return .memory(parameterCount: count)
    }
    // A "--" before negative numbers is not needed, and does no harm.
    return .numbers(try numbers.filter { $0 != "--" }.map(number), try formats())
  }

  private func number(_ text: String) throws -> Double {
    guard let value = Double(text) else {
      throw ValidationError(
        text.hasPrefix("-") ? "Unknown option '\(text)'" : "'\(text)' is no number.")
    }
    return value
  }

  private func formats() throws -> [NumberFormat] {
    guard let format else { return NumberFormat.all }
    return try format.split(separator: ",", omittingEmptySubsequences: false).map { name in
      guard let format = NumberFormat(name: String(name)) else {
        let known = NumberFormat.all.map(\.name).joined(separator: " ")
        throw ValidationError("--format \(name): not one of \(known).")
      }
      return format
    }
  }
}

/// Rows and columns of a matrix, as the command line says them: "4096x11008".
struct MatrixShape: ExpressibleByArgument {
  var rowCount: Int
  var columnCount: Int

  init(rowCount: Int, columnCount: Int) {
    self.rowCount = rowCount
    self.columnCount = columnCount
  }

  init?(argument: String) {
    let counts = argument.lowercased().split(separator: "x", omittingEmptySubsequences: false)
      .map { Int($0) ?? 0 }
    guard counts.count == 2, counts.allSatisfy((1...1 << 24).contains) else { return nil }
    self.init(rowCount: counts[0], columnCount: counts[1])
  }
}
