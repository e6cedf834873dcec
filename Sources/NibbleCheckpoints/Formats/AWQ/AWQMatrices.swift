internal import NibbleQuantization
internal import NibbleTensors

/// Makes a matrix of each layer's AWQ arrays. All have zero points: a symmetric model cannot be told from one whose zero points
/// happen to be 8.
struct AWQMatrices: Sendable {
  var arrangement: AWQLayout.Arrangement
  /// What the matrices may have.
  var announced: [AnnouncedGroups]

  /// Where a matrix's groups are.
  private struct Shape {
    var rowCount: Int
    var columnCount: Int
    var groupCount: Int
  }

  /// - Returns: the records with a matrix for the arrays of each layer.
  /// - Throws: ``CheckpointError`` that names the array that is missing or does not fit.
  func gather(
    _ records: [TensorRecord]
  ) throws(CheckpointError) -> (tensors: [TensorRecord], notes: [String]) {
    let found = try PackedModules(records)
    var tensors: [TensorRecord] = []
    for module in found.modules { tensors.append(try matrix(module)) }
    return (found.replaced(by: tensors), [])
  }

  private func matrix(_ module: PackedModules.Module) throws(CheckpointError) -> TensorRecord {
    if let order = module.arrays["g_idx"] {
      throw CheckpointError(
        .malformed, "stands beside AWQ's arrays, which have no order of columns",
        tensor: order.name)
    }
    let weight = try module.matrix("qweight", [.int32])
    let zeros = try module.matrix("qzeros", [.int32])
    let scales = try module.matrix("scales", [.float16, .bfloat16])
    let shape: Shape
    let granularity: Granularity?
    switch arrangement {
    case .gemm:
      shape = Shape(
        rowCount: scales.shape[1], columnCount: weight.shape[0], groupCount: scales.shape[0])
      guard shape.columnCount % shape.groupCount == 0 else {
        throw CheckpointError(
          .malformed, "has \(shape.groupCount) groups for \(shape.columnCount) inputs",
          tensor: scales.name)
      }
      granularity =
        announced.lazy.compactMap {
          $0.granularity(bits: 4, groupCount: shape.groupCount, columnCount: shape.columnCount)
        }.first
    case .gemv:
      // Padding hides the number of groups, so that their size must be announced.
      let columnCount = 8 * weight.shape[1]
      let size = announced[0].groupSize ?? 128
      let length = size == -1 ? columnCount : min(size, columnCount)
      shape = Shape(
        rowCount: weight.shape[0], columnCount: columnCount, groupCount: columnCount / length)
      granularity = size == -1 ? .row : .group(length)
    }
    guard let granularity else {
      let wanted = announced.prefix(4).map(\.text).joined(separator: ", or ")
      throw CheckpointError(
        .malformed,
        "has 4 bits in groups of \(shape.columnCount / shape.groupCount), and the configuration "
          + "announces \(wanted)", tensor: module.weightName)
    }
    let scheme = Scheme(
      element: .uint(bits: 4), granularity: granularity,
      scale: GPTQMatrices.format(of: scales.type), offset: .zeroPoint(bits: 4))
    let layout = AWQLayout(arrangement: arrangement)
    let parts: [SchemePart]
    do {
      parts = try layout.parts(scheme, rowCount: shape.rowCount, columnCount: shape.columnCount)
    } catch {
      throw CheckpointError(.unsupported, error.message, tensor: module.weightName)
    }
    let arrays = [weight, zeros, scales]
    for (array, part) in zip(arrays, parts) where array.shape != part.shape {
      throw CheckpointError(
        .malformed,
        "has the shape \(array.shape), not \(part.shape) as the other arrays ask for",
        tensor: array.name)
    }
    var record = TensorRecord(
      name: module.weightName, shape: [shape.rowCount, shape.columnCount], type: .scheme(scheme),
      parts: arrays.map(\.bytes))
    record.layout = layout
    return record
  }
}
