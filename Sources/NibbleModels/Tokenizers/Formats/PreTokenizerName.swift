/// The ids that GGUF files give to the pre-tokenizers of byte-level models (`tokenizer.ggml.pre`).
struct PreTokenizerName {
  /// What one id stands for.
  struct Setup: Sendable {
    var normalizers: [Normalizer] = []
    var cuts: [PreTokenizer] = []
    /// Whether ByteLevel cuts with GPT-2's expression after `cuts`.
    var splits = false
    var ignoresMerges = false
    /// Whether a file without `add_bos_token` wants the begin token.
    var addsBegin = false
  }

  private static func isolated(_ regex: String) -> PreTokenizer {
    .split(.regex(regex), .isolated, inverts: false)
  }

  /// The setup of an id; nil for one that is not known.
  static func setup(of name: String) -> Setup? {
    switch name {
    case "gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais": Setup(splits: true)
    case "smollm", "starcoder", "refact", "command-r", "codeshell":
      Setup(cuts: [.digits(individually: true)], splits: true)
    case "llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral":
      Setup(cuts: [isolated(KnownExpression.llama3Text)], ignoresMerges: true, addsBegin: true)
    case "dbrx", "smaug-bpe": Setup(cuts: [isolated(KnownExpression.llama3Text)])
    case "qwen2":
      Setup(normalizers: [.canonicalComposition], cuts: [isolated(KnownExpression.qwen2Text)])
    case "deepseek-r1-qwen", "stablelm2", "megrez":
      Setup(cuts: [isolated(KnownExpression.qwen2Text)])
    case "qwen35":
      Setup(normalizers: [.canonicalComposition], cuts: [isolated(KnownExpression.qwen35Text)])
    case "gpt-4o", "llama4": Setup(cuts: [isolated(KnownExpression.o200kText)])
    case "falcon":
      Setup(cuts: [
        isolated(#"[\p{P}\$\+<=>\^~\|`]+"#), isolated(KnownExpression.gpt2Text),
        isolated("[0-9][0-9][0-9]"),
      ])
    case "tekken": Setup(cuts: [isolated(KnownExpression.tekkenText)], ignoresMerges: true)
    case "default":
      Setup(cuts: [
        isolated(#"[\p{P}\$\+<=>\^~\|]+"#), isolated(KnownExpression.gpt2Text),
        isolated(#"\p{N}+"#), isolated("[0-9][0-9][0-9]"),
      ])
    default: nil
    }
  }

  /// The id of a definition's steps.
  ///
  /// - Throws: ``ModelError/Code/unsupported`` when no id means exactly these steps.
  static func name(of definition: TokenizerDefinition) throws(ModelError) -> String {
    for name in [
      "gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "deepseek-r1-qwen", "qwen35", "tekken",
      "gpt-4o", "falcon", "default",
    ] {
      guard let setup = setup(of: name) else { continue }
      guard setup.normalizers == definition.normalizers,
        definition.preTokenizers.count == setup.cuts.count + 1,
        setup.cuts.elementsEqual(definition.preTokenizers.dropLast(), by: isAlike),
        case .byteLevel(let addsSpace, setup.splits)? = definition.preTokenizers.last,
        setup.ignoresMerges == definition.ignoresMerges
      else { continue }
      if addsSpace { break }
      return name
    }
    throw .unsupportedInGGUF(definition)
  }

  /// Whether two steps cut alike; the known expressions match all of any text, so keeping only matches is isolating.
  private static func isAlike(_ first: PreTokenizer, _ second: PreTokenizer) -> Bool {
    if case .split(let pattern, .removed, inverts: true) = second, case .regex(let text) = pattern,
      KnownExpression(text) != nil
    {
      return first == .split(pattern, .isolated, inverts: false)
    }
    return first == second
  }
}
