/// The architectures that Nibble runs: one line each.
public enum ArchitectureRegistry {
  static let all: [any Architecture.Type] = [
    Llama.self
  ]

  /// The GGUF names of all architectures.
  public static var ggufNames: [String] { all.map { $0.ggufName } }
  /// The Hugging Face class names of all architectures.
  public static var classNames: [String] { all.flatMap { $0.classNames } }

  static func find(ggufName: String) -> (any Architecture.Type)? {
    all.first { $0.ggufName == ggufName }
  }

  static func find(className: String?, modelType: String) -> (any Architecture.Type)? {
    if let className { return all.first { $0.classNames.contains(className) } }
    return all.first { $0.modelTypes.contains(modelType) }
  }
}
