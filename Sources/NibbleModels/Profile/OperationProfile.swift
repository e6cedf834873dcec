/// Where the time of some passes through a model went.
public struct OperationProfile: Sendable, Equatable {
  /// The layers whose products are added up together.
  public enum ProductRole: String, CaseIterable, Sendable {
    /// Query, key and value, multiplied in one go where the model has them apart.
    case queryKeyValue = "qkv"
    case attentionOutput = "o"
    /// The gate and up layers, or the first layer of a network without a gate.
    case gateUp = "gate/up"
    case down
    case router
    /// The head: logits.
    case output
  }

  /// A kind of operation.
  public enum Kind: Hashable, Sendable {
    /// Products of one role with weights of one type, or of several that are multiplied in one go ("Q4_K, Q6_K"), without
    /// the rounding of their activations.
    case product(ProductRole, weights: String)
    /// Rounding activations to 8 bits.
    case rounding
    /// Attention, with storing keys and values.
    case attention
    case norm, rope
    /// GELU, or the gate's activation and its product.
    case activation
    /// Looking up embeddings, sums, scaling, copies, routing.
    case elementwise
    /// Choosing the next token.
    case sampling

    /// The kind in words: "gate/up", "attention".
    public var title: String {
      switch self {
      case .product(let role, _): role.rawValue
      case .rounding: "activation quantization"
      case .attention: "attention"
      case .norm: "norms"
      case .rope: "rope"
      case .activation: "activation functions"
      case .elementwise: "sums and copies"
      case .sampling: "sampling"
      }
    }

    /// The type of a product's weights.
    public var weights: String? {
      if case .product(_, let weights) = self { weights } else { nil }
    }

    /// The place among all kinds in a report.
    fileprivate var rank: Int {
      switch self {
      case .product(let role, _): ProductRole.allCases.firstIndex(of: role) ?? 0
      case .rounding: 10
      case .attention: 11
      case .norm: 12
      case .rope: 13
      case .activation: 14
      case .elementwise: 15
      case .sampling: 16
      }
    }
  }

  /// What the operations of one kind took and did.
  public struct Cost: Sendable, Equatable {
    public var seconds = 0.0
    /// Products of two numbers; 0 where these say nothing.
    public var products = 0.0
    /// Bytes that had to be read and written, each once: what a perfect cache would leave.
    public var bytes = 0.0
    /// Operations.
    public var count = 0

    public init() {}
  }

  public private(set) var costs: [Kind: Cost] = [:]
  /// From the beginning to the end, whatever was done.
  public internal(set) var totalSeconds = 0.0

  public init() {}

  /// The time of all that has no kind: the calls between operations, memory, checks.
  public var otherSeconds: Double {
    totalSeconds - costs.values.reduce(0) { $0 + $1.seconds }
  }

  /// All kinds in the order of a report: products along the model, then the others.
  public var kinds: [Kind] {
    costs.keys.sorted { ($0.rank, $0.weights ?? "") < ($1.rank, $1.weights ?? "") }
  }

  /// Adds an operation.
  public mutating func add(
    _ kind: Kind, seconds: Double, products: Double = 0, bytes: Double = 0
  ) {
    var cost = costs[kind] ?? Cost()
    cost.seconds += seconds
    cost.products += products
    cost.bytes += bytes
    cost.count += 1
    costs[kind] = cost
  }
}
