internal import NibbleQuantization
internal import NibbleTensors

/// The arrays of one layer in an MLX folder, as they stand in its files.
struct MLXArrays {
  let weight: TensorRecord
  let scales: TensorRecord
  let biases: TensorRecord?
  let layer: MLXSettings.Layer

  /// The matrix, or the stack of matrices, that the arrays hold.
  ///
  /// - Throws: ``CheckpointError`` for arrays whose types and shapes do not fit each other and the settings.
  func record() throws(CheckpointError) -> TensorRecord {
    guard weight.type == .plain(.uint32) else {
      throw fault("is \(weight.type.name), not packed words (U32), although it has scales")
    }
    guard weight.shape.count >= 2, scales.shape.count == weight.shape.count,
      scales.shape.dropLast() == weight.shape.dropLast(),
      let wordCount = weight.shape.last, let groupCount = scales.shape.last
    else {
      throw fault("its scales are \(scales.shape.prefix(8)), its words \(weight.shape.prefix(8))")
    }
    let (columnCount, isTooLarge) = groupCount.multipliedReportingOverflow(by: layer.groupLength)
    let (bitCount, hasTooManyBits) = columnCount.multipliedReportingOverflow(by: layer.bitCount)
    let (wordBitCount, hasTooManyWords) = wordCount.multipliedReportingOverflow(by: 32)
    guard !isTooLarge, !hasTooManyBits, !hasTooManyWords, bitCount == wordBitCount else {
      throw fault(
        "\(wordCount) words and \(groupCount) scales a row do not fit the \(layer.bitCount) bits and "
          + "groups of \(layer.groupLength) that config.json announces")
    }
    let shape = Array(weight.shape.dropLast()) + [columnCount]
    do throws(CheckpointError) {
      // The shape is bounded before any product of its dimensions is taken.
      _ = try StoredType.plain(.float32).byteCount(shape: shape)
    } catch {
      throw error.ofTensor(weight.name)
    }
    var record = TensorRecord(
      name: weight.name, shape: shape, type: .scheme(try scheme()),
      parts: [weight, scales, biases].compactMap { $0?.bytes })
    record.layout = MLXLayout()
    return record
  }

  private func scheme() throws(CheckpointError) -> Scheme {
    switch layer.mode {
    case .mxfp4:
      guard scales.type == .plain(.uint8) else {
        throw fault("its scales are \(scales.type.name); those of mode mxfp4 are U8")
      }
      guard biases == nil else { throw fault("has biases, which mode mxfp4 has not") }
      return MLXLayout.microscaling
    case .affine:
      guard let biases else {
        throw CheckpointError(.missing, "its array biases is missing", tensor: weight.name)
      }
      guard biases.type == scales.type, biases.shape == scales.shape else {
        throw fault(
          "its biases are \(biases.type.name) \(biases.shape.prefix(8)), its scales "
            + "\(scales.type.name) \(scales.shape.prefix(8))")
      }
      let format: ScaleFormat
      switch scales.type {
      case .plain(.float16): format = .float16
      case .plain(.bfloat16): format = .bfloat16
      case .plain(.float32): format = .float32
      default: throw fault("its scales are \(scales.type.name), not F16, BF16 or F32")
      }
      return Scheme(
        element: .uint(bits: layer.bitCount), granularity: .group(layer.groupLength), scale: format,
        offset: .minimum(format))
    }
  }

  private func fault(_ reason: String) -> CheckpointError {
    CheckpointError(.malformed, reason, tensor: weight.name)
  }
}
