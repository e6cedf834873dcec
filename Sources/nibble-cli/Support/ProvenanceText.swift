import Nibble

extension ModelAnnotations {
  /// What the files say, a line for each step and one for the verdict; none where they say nothing.
  var lines: [String] {
    var lines: [String] = []
    if let json = provenance {
      do {
        lines += try Provenance(json: json).lines
      } catch {
        lines.append("its provenance is not understood: \(error.message)")
      }
    }
    if let verdict { lines.append(verdict.verdictLine) }
    return lines
  }
}

extension Provenance {
  /// A line for each step, the last first.
  var lines: [String] { ([self] + history).map(\.line) }

  private var line: String {
    var line =
      "Nibble \(version): \(recipe.text), from \(source.path) (\(source.tensorCount) tensors, \(source.hash.prefix(12))…)"
    if let calibration {
      let kind = calibration.kind == .importance ? "importance of" : "text"
      line += ", \(kind) \(calibration.path ?? calibration.name) (\(calibration.hash.prefix(12))…)"
    }
    return line
  }
}

extension Recipe {
  /// The recipe in a few words: "quantize --type q4_k_m --method gptq".
  fileprivate var text: String {
    switch self {
    case .convert(let recipe):
      return "convert --format \(recipe.format.rawValue)"
        + (recipe.floatType.map { " --type \($0.name.lowercased())" } ?? "")
        + (recipe.allowsRequantizing ? " --allow-requantize" : "")
    case .quantize(let recipe):
      var words = [
        "quantize --type \(recipe.selection.baseName) --format \(recipe.format.rawValue)"
      ]
      if let range = recipe.range { words.append("--range \(range)") }
      if let calibration = recipe.calibration {
        words.append("--method \(calibration.method.rawValue)")
        if calibration.method == .gptq { words.append("--effort \(calibration.effort.rawValue)") }
      }
      words += recipe.transforms.map { "--transform \($0.rawValue)" }
      words += recipe.selection.overrides.map { "--override '\($0.pattern)=\($0.type.name)'" }
      words += recipe.selection.keepPatterns.map { "--keep '\($0)'" }
      return words.joined(separator: " ")
    }
  }
}

extension TypeSelection {
  fileprivate var baseName: String {
    switch base {
    case .mix(let mix): mix.rawValue
    case .scheme(let scheme): scheme.description
    }
  }
}

extension JSONValue {
  /// A recorded verdict in one line.
  fileprivate var verdictLine: String {
    var line = self["verified"]?.bool == true ? "verified" : "NOT VERIFIED"
    if let reference = self["reference"]?.string { line += " against \(reference)" }
    if let count = self["tensors"]?.integer { line += ", \(count) tensors" }
    if let error = self["largest_relative_error"]?.number {
      line += ", largest relative error \(errorText(error))"
    }
    if let divergence = self["logits"]?["kld"]?.number {
      line += ", divergence \(short(divergence)) nats"
    }
    return line
  }
}
