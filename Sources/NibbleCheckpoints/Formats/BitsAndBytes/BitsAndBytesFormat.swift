public import NibbleQuantization
public import NibbleTensors

/// The folders of bitsandbytes: 4-bit matrices (QLoRA) or 8-bit ones (LLM.int8()), as transformers saves and loads them.
public struct BitsAndBytesFormat: FolderFormat {
  public static let name = "bitsandbytes"

  /// The type of the weights before they were quantized: float16, bfloat16 or float32.
  public var originalType: DType

  /// Whether the configuration of a folder that is read announces 4 bits; nil where a folder is written.
  private var announcesFourBits: Bool?

  /// A format to write in.
  ///
  /// - Parameter originalType: the type of the source's weights; others than float16, bfloat16 and float32 become float32.
  public init(originalType: DType) {
    let isKnown = BitsAndBytesState.typeNames.contains { $0.type == originalType }
    self.originalType = isKnown ? originalType : .float32
  }

  public static func announced(
    by file: (String) throws(CheckpointError) -> JSONValue?
  ) throws(CheckpointError) -> BitsAndBytesFormat? {
    guard let settings = try file("config.json")?["quantization_config"]?.object else { return nil }
    func flag(_ key: String) throws(CheckpointError) -> Bool {
      guard let value = settings[key] ?? settings["_" + key], !value.isNull else { return false }
      guard let flag = value.bool else {
        throw CheckpointError(
          .malformed, "quantization_config.\(key) is neither true nor false", file: "config.json")
      }
      return flag
    }
    // Old folders name no method.
    guard settings["quant_method"].map({ $0.string == name }) ?? true else { return nil }
    let (fourBits, eightBits) = (try flag("load_in_4bit"), try flag("load_in_8bit"))
    guard fourBits || eightBits else {
      if settings["quant_method"] == nil { return nil }
      throw CheckpointError(
        .malformed, "quantization_config sets neither load_in_4bit nor load_in_8bit",
        file: "config.json")
    }
    if fourBits && eightBits {
      throw CheckpointError(
        .malformed, "quantization_config sets both load_in_4bit and load_in_8bit",
        file: "config.json")
    }
    if try flag("llm_int8_has_fp16_weight") {
      throw CheckpointError(
        .unsupported, "quantization_config.llm_int8_has_fp16_weight keeps weights in 16 bits",
        file: "config.json")
    }
    var format = BitsAndBytesFormat(originalType: .float32)
    format.announcesFourBits = fourBits
    return format
  }

  public func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    var arrays = CompressedArrays(records)
    var (fourBitCount, eightBitCount) = (0, 0)
    for record in records {
      if let matrix = try Self.fourBitMatrix(record) {
        try join(matrix, state: record, in: &arrays)
        fourBitCount += 1
      } else if record.name.hasSuffix(".SCB") {
        try join(eightBitModule: String(record.name.dropLast(".SCB".count)), in: &arrays)
        eightBitCount += 1
      } else if record.name.hasSuffix(".weight_format") {
        let module = String(record.name.dropLast(".weight_format".count))
        _ = try arrays.require(module + ".SCB", of: module + ".weight")
      }
    }
    let tensors = try arrays.gathered()
    if let left = tensors.first(where: { Self.isFragment($0) }) {
      throw CheckpointError(
        .missing, "is part of a 4-bit matrix whose quant_state is missing", tensor: left.name)
    }
    var notes: [String] = []
    if let announcesFourBits {
      let (wanted, other) = announcesFourBits ? (4, 8) : (8, 4)
      let otherCount = announcesFourBits ? eightBitCount : fourBitCount
      if otherCount > 0 {
        notes.append(
          "config.json announces \(wanted) bits, and \(otherCount) matrices have \(other)")
      }
      if fourBitCount + eightBitCount == 0 {
        notes.append("config.json announces \(wanted) bits, and no matrix is quantized")
      }
    }
    return (tensors, notes)
  }

  /// The matrix whose JSON a tensor is; nil for other tensors.
  private static func fourBitMatrix(_ record: TensorRecord) throws(CheckpointError) -> String? {
    guard let start = record.name.firstRange(of: ".quant_state.") else { return nil }
    let matrix = String(record.name[..<start.lowerBound])
    let ending = record.name[start.upperBound...]
    guard ending == "bitsandbytes__nf4" || ending == "bitsandbytes__fp4" else {
      throw CheckpointError(
        .unsupported, "its quant_state is \(printable(String(ending))), neither nf4 nor fp4",
        tensor: matrix)
    }
    return matrix
  }

  /// Whether a tensor stands beside a 4-bit matrix.
  private static func isFragment(_ record: TensorRecord) -> Bool {
    [".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"].contains {
      record.name.hasSuffix(".weight" + $0)
    }
  }

  private func join(
    _ matrix: String, state record: TensorRecord, in arrays: inout CompressedArrays
  ) throws(CheckpointError) {
    guard record.type == .plain(.uint8), record.bytes.count <= 1 << 16 else {
      throw CheckpointError(
        .malformed, "its quant_state is no text in bytes, or longer than 65536", tensor: matrix)
    }
    let state: BitsAndBytesState
    do {
      state = try BitsAndBytesState(record.bytes.copy())
    } catch {
      throw error.ofTensor(matrix)
    }
    guard record.name.hasSuffix(BitsAndBytesState.arrayName(state.book)) else {
      throw CheckpointError(
        .malformed, "its quant_state says \(state.book.rawValue), unlike its name", tensor: matrix)
    }
    let scheme = Scheme(
      element: .codebook(state.book), granularity: .group(state.blockLength),
      scale: state.mean == nil ? .float32 : .doubleQuantized)
    let jsonName = "weight." + BitsAndBytesState.arrayName(state.book)
    try arrays.join(
      matrix, scheme: scheme, layout: BitsAndBytesFourBitLayout(originalType: state.originalType),
      shape: state.shape, loose: ["weight"], ofAnyLength: [jsonName]
    ) { part in matrix + part.dropFirst("weight".count) }
  }

  private func join(
    eightBitModule module: String, in arrays: inout CompressedArrays
  ) throws(CheckpointError) {
    let matrix = module + ".weight"
    let codes = try arrays.require(matrix, of: matrix)
    guard codes.type == .plain(.int8), codes.shape.count == 2 else {
      throw CheckpointError(
        .malformed, "has an SCB, but is \(codes.type.name) \(codes.shape.prefix(8)), no I8 matrix",
        tensor: matrix)
    }
    if let format = arrays[module + ".weight_format"] {
      guard format.type == .plain(.uint8), format.bytes.copy() == [0] else {
        throw CheckpointError(
          .unsupported, "its weight_format is not 0: its rows do not stand as they are",
          tensor: matrix)
      }
    }
    try arrays.join(
      matrix, scheme: BitsAndBytesEightBitLayout.scheme, layout: BitsAndBytesEightBitLayout(),
      shape: codes.shape, substitutes: ["weight_format": [0]]
    ) { part in "\(module).\(part)" }
  }

  public func layout(for scheme: Scheme) -> any ArrayLayout {
    scheme == BitsAndBytesEightBitLayout.scheme
      ? BitsAndBytesEightBitLayout() : BitsAndBytesFourBitLayout(originalType: originalType)
  }

  public func arrayName(_ part: String, of tensor: String) -> String {
    if part == "weight" || part.hasPrefix("weight.") {
      return tensor + part.dropFirst("weight".count)
    }
    return UnquantizedModules.moduleName(tensor) + "." + part
  }

  public func configuration(
    of plans: [TensorPlan], config: JSONObject
  ) throws(CheckpointError) -> [String: JSONObject] {
    var first: (scheme: Scheme, tensor: String)?
    for plan in plans {
      guard case .scheme(let scheme) = plan.type else { continue }
      guard let known = first else {
        first = (scheme, plan.name)
        continue
      }
      guard known.scheme.element == scheme.element, known.scheme.scale == scheme.scale else {
        throw CheckpointError(
          .unsupported,
          "is \(scheme) and \(printable(known.tensor)) is \(known.scheme); one folder of "
            + "bitsandbytes holds one of 8 bits, nf4 and fp4, with scales of one kind",
          tensor: plan.name)
      }
    }
    guard let scheme = first?.scheme else {
      throw CheckpointError(.unsupported, "no tensor is quantized")
    }
    let isEightBit = scheme == BitsAndBytesEightBitLayout.scheme
    let type = BitsAndBytesState.typeNames.first { $0.type == originalType }?.name ?? "float32"
    var config = config
    config["compression_config"] = nil
    config["quantization_config"] = [
      "quant_method": .string(Self.name),
      "load_in_4bit": .bool(!isEightBit), "load_in_8bit": .bool(isEightBit),
      "_load_in_4bit": .bool(!isEightBit), "_load_in_8bit": .bool(isEightBit),
      "bnb_4bit_quant_type": .string(scheme.element == .codebook(.nf4) ? "nf4" : "fp4"),
      "bnb_4bit_use_double_quant": .bool(scheme.scale == .doubleQuantized),
      "bnb_4bit_compute_dtype": .string(isEightBit ? "float32" : type),
      "bnb_4bit_quant_storage": "uint8", "llm_int8_threshold": 6.0,
      "llm_int8_skip_modules": .array(
        UnquantizedModules.names(in: plans).map { .string($0) }),
      "llm_int8_enable_fp32_cpu_offload": false, "llm_int8_has_fp16_weight": false,
    ]
    return ["config.json": config]
  }
}
