/// The architectures that Nibble runs: one line each.
public enum ArchitectureRegistry {
  static let all: [any Architecture.Type] = [
    Llama.self,
    Mixtral.self,
    Qwen2.self,
    Qwen3.self,
    Qwen3MixtureOfExperts.self,
    Gemma2.self,
    Gemma3.self,
    Phi3.self,
    GPT2.self,
  ]

  /// The GGUF names of all architectures.
  public static var ggufNames: [String] {
    all.map { $0.ggufName }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
  /// The Hugging Face class names of all architectures.
  public static var classNames: [String] { all.flatMap { $0.classNames } }

  static func find(ggufName: String, hasExperts: Bool) -> (any Architecture.Type)? {
    all.first { $0.ggufName == ggufName && $0.mixesExperts == hasExperts }
  }

  static func find(className: String?, modelType: String) -> (any Architecture.Type)? {
    if let className { return all.first { $0.classNames.contains(className) } }
    return all.first { $0.modelTypes.contains(modelType) }
  }
}
