internal import NibbleQuantization
internal import NibbleTensors

/// What the JSON beside a 4-bit matrix of bitsandbytes says (`quant_state.bitsandbytes__nf4`).
struct BitsAndBytesState: Equatable {
  var book: Codebook
  var blockLength: Int
  /// The type of the weights before they were quantized, and of the values that they decode to there.
  var originalType: DType
  var shape: [Int]
  /// The mean that was taken off nested scales; nil where scales are not nested.
  var mean: Float?

  /// Names of types as PyTorch spells them.
  static let typeNames: [(type: DType, name: String)] = [
    (.float16, "float16"), (.bfloat16, "bfloat16"), (.float32, "float32"),
  ]
  static let blockLengths = [32, 64, 128, 256, 512, 1024, 2048, 4096]
  /// The longest decimal of a float, as JSON writes it.
  private static let longestMean = 24

  /// The array's name: what comes after "weight.".
  static func arrayName(_ book: Codebook) -> String { "quant_state.bitsandbytes__\(book.rawValue)" }

  /// The JSON text as Python writes it. Spaces follow where scales are nested, so that its length does not depend on their
  /// mean.
  var bytes: [UInt8] {
    let text = Array(text(mean: mean).utf8)
    return text + [UInt8](repeating: 0x20, count: max(byteCount - text.count, 0))
  }

  /// The length of ``bytes``.
  var byteCount: Int {
    guard mean != nil else { return text(mean: nil).utf8.count }
    return text(mean: 0).utf8.count - "0.0".utf8.count + Self.longestMean
  }

  private func text(mean: Float?) -> String {
    let type = Self.typeNames.first { $0.type == originalType }?.name ?? "float32"
    var object = JSONObject([
      "quant_type": .string(book.rawValue), "blocksize": .integer(Int64(blockLength)),
      "dtype": .string(type), "shape": .array(shape.map { .integer(Int64($0)) }),
    ])
    if let mean {
      object["nested_blocksize"] = .integer(Int64(ScaleTree.doubleBlockCount))
      object["nested_dtype"] = "float32"
      object["nested_offset"] = .number(Double(mean))
    }
    return JSONValue.object(object).text(.spaced)
  }

  init(
    book: Codebook, blockLength: Int, originalType: DType, shape: [Int], mean: Float?
  ) {
    self.book = book
    self.blockLength = blockLength
    self.originalType = originalType
    self.shape = shape
    self.mean = mean
  }

  /// Reads and checks the JSON.
  ///
  /// - Throws: ``CheckpointError`` that names the key and what is wrong with it.
  init(_ bytes: [UInt8]) throws(CheckpointError) {
    guard bytes.count <= 1 << 16 else {
      throw CheckpointError(.malformed, "its quant_state is longer than 65536 bytes")
    }
    let json = try JSONValue.parse(bytes)
    func fault(_ key: String, _ reason: String) -> CheckpointError {
      CheckpointError(.unsupported, "its quant_state has a \(key) that \(reason)")
    }
    switch json["quant_type"]?.string {
    case "nf4": book = .nf4
    case "fp4": book = .fp4
    default: throw fault("quant_type", "is neither nf4 nor fp4")
    }
    guard let length = json["blocksize"]?.integer, Self.blockLengths.contains(length) else {
      throw fault("blocksize", "is no power of two in 32...4096")
    }
    blockLength = length
    let typeName = json["dtype"]?.string
    guard let type = Self.typeNames.first(where: { $0.name == typeName })?.type else {
      throw fault("dtype", "is not float16, bfloat16 or float32")
    }
    originalType = type
    let dimensions = json["shape"]?.array?.map { $0.integer ?? 0 } ?? []
    guard dimensions.count == 2, dimensions.allSatisfy({ $0 > 0 }),
      !dimensions[0].multipliedReportingOverflow(by: dimensions[1]).overflow
    else { throw fault("shape", "is no pair of rows and columns") }
    shape = dimensions
    let nestedKeys = ["nested_blocksize", "nested_dtype", "nested_offset"]
    guard nestedKeys.contains(where: { json[$0] != nil }) else {
      mean = nil
      return
    }
    guard json["nested_blocksize"]?.integer == ScaleTree.doubleBlockCount else {
      throw fault("nested_blocksize", "is not \(ScaleTree.doubleBlockCount)")
    }
    guard json["nested_dtype"]?.string == "float32" else {
      throw fault("nested_dtype", "is not float32")
    }
    guard let offset = json["nested_offset"]?.number, Float(offset).isFinite else {
      throw fault("nested_offset", "is no finite number")
    }
    mean = Float(offset)
  }
}
