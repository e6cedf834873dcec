internal import NibbleQuantization
internal import NibbleTensors

/// The tensors of one layer in an HQQ folder, by their names in the module.
struct HQQArrays {
  /// What hqq stores of a layer beside its bias.
  static let names = [
    "W_q", "scale", "zero", "nbits", "group_size", "shape", "axis", "packing", "unpack_view_dtype",
    "view_as_float", "quant_scale", "quant_zero", "compute_dtype", "offload_meta",
    "encoded_state_dict", "stores_quant_config", "channel_wise", "optimize", "round_zero",
  ]

  /// The path of the layer, which errors name.
  let module: String
  /// By the names of ``names``.
  let tensors: [String: TensorRecord]

  /// The matrix under the name that it has in a plain checkpoint.
  ///
  /// - Throws: ``CheckpointError`` for what is missing, contradicts itself or is not supported.
  func record() throws(CheckpointError) -> TensorRecord {
    try refuse("axis", unless: 1, "groups along the other dimension (axis 0) are not supported")
    try refuse("quant_scale", unless: 0, "scales that are quantized themselves are not supported")
    try refuse("quant_zero", unless: 0, "zeros that are quantized themselves are not supported")
    try refuse("view_as_float", unless: 0, "words stored as floats are not supported")
    let bitCount = try integer("nbits")
    guard let packing = HQQPacking(bitCount: bitCount) else {
      throw fault("has codes of \(bitCount) bits; HQQ has 1, 2, 3, 4 and 8")
    }
    let (rowCount, columnCount) = try shape()
    let words = try tensor("W_q")
    let scale = try tensor("scale")
    let zero = try tensor("zero")
    guard let numbers = Self.format(scale.type), zero.type == scale.type, zero.shape == scale.shape
    else {
      throw fault(
        "its zeros are \(zero.type.name) \(zero.shape.prefix(8)), its scales \(scale.type.name) "
          + "\(scale.shape.prefix(8))")
    }
    let groupCount = scale.bytes.count / (numbers == .float32 ? 4 : 2)
    let elementCount = rowCount * columnCount
    guard groupCount > 0, elementCount % groupCount == 0,
      columnCount % (elementCount / groupCount) == 0
    else {
      throw fault(
        "\(groupCount) scales do not cut \(rowCount) rows of \(columnCount) into whole groups")
    }
    let length = elementCount / groupCount
    if tensors["group_size"] != nil, try integer("group_size") != length {
      throw fault("has groups of \(length), and its group_size is \(try integer("group_size"))")
    }
    let type: DType = packing.wordByteCount == 4 ? .int32 : .uint8
    let wordShape = [packing.wordCount(groupCount: groupCount), length]
    guard words.type == .plain(type), words.shape == wordShape else {
      throw fault(
        "its words are \(words.type.name) \(words.shape.prefix(8)), not \(type.rawValue) \(wordShape)"
      )
    }
    let scheme = Scheme(
      element: .uint(bits: HQQLayout.schemeBitCount(bitCount)), granularity: .group(length),
      scale: .float32,
      offset: .minimum(.float32))
    var record = TensorRecord(
      name: "\(module).weight", shape: [rowCount, columnCount], type: .scheme(scheme),
      parts: [words.bytes, scale.bytes, zero.bytes])
    record.layout = HQQLayout(bitCount: bitCount, numbers: numbers)
    return record
  }

  private func shape() throws(CheckpointError) -> (rowCount: Int, columnCount: Int) {
    let dimensions = try integers("shape")
    guard dimensions.count == 2, dimensions.allSatisfy({ $0 > 0 }) else {
      throw fault("its shape is \(dimensions.prefix(8)), not that of a matrix")
    }
    do throws(CheckpointError) {
      _ = try StoredType.plain(.float32).byteCount(shape: dimensions)
    } catch {
      throw error.ofTensor("\(module).shape")
    }
    return (dimensions[0], dimensions[1])
  }

  private static func format(_ type: StoredType) -> ScaleFormat? {
    switch type {
    case .plain(.float16): .float16
    case .plain(.bfloat16): .bfloat16
    case .plain(.float32): .float32
    default: nil
    }
  }

  private func tensor(_ name: String) throws(CheckpointError) -> TensorRecord {
    guard let tensor = tensors[name] else {
      throw CheckpointError(.missing, "its tensor \(name) is missing", tensor: module)
    }
    return tensor
  }

  private func refuse(
    _ name: String, unless expected: Int, _ reason: String
  ) throws(CheckpointError) {
    if tensors[name] != nil, try integer(name) != expected {
      throw CheckpointError(.unsupported, reason, tensor: module)
    }
  }

  private func integer(_ name: String) throws(CheckpointError) -> Int {
    let values = try integers(name)
    guard let value = values.first, values.count == 1 else {
      throw fault("its tensor \(name) holds \(values.count) numbers, not one")
    }
    return value
  }

  /// The numbers of a small tensor of integers.
  private func integers(_ name: String) throws(CheckpointError) -> [Int] {
    let tensor = try tensor(name)
    guard tensor.bytes.count <= 64 else {
      throw fault("its tensor \(name) has \(tensor.bytes.count) bytes, too many for settings")
    }
    let bytes = tensor.bytes.copy()
    return try bytes.withUnsafeBytes { bytes in
      Result { () throws(CheckpointError) in
        switch tensor.type {
        case .plain(.uint8), .plain(.bool): return bytes.map { Int($0) }
        case .plain(.int32):
          return (0..<bytes.count / 4).map {
            Int(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self))
          }
        case .plain(.int64):
          return (0..<bytes.count / 8).map {
            Int(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
          }
        default: throw fault("its tensor \(name) is \(tensor.type.name), not integers")
        }
      }
    }.get()
  }

  private func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.malformed, reason, tensor: module)
  }
}
