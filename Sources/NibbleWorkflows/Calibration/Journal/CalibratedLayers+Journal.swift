internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

extension CalibratedLayers: BlockKeeper {
  var finishedBlockCount: Int { journal?.finishedCount ?? 0 }

  func keep(expertTokenCounts: [Int]?) throws {
    try journal?.finishBlock(expertTokenCounts: expertTokenCounts)
  }

  func restore(block: Int, decoding: Bool) throws -> FinishedBlock {
    guard let file = try journal?.file(ofBlock: block) else { return FinishedBlock() }
    var finished = FinishedBlock(expertTokenCounts: file.record.expertTokenCounts)
    let known = layers(ofBlock: block)
    for (layer, views) in zip(file.record.layers, file.arrays) {
      let row = layer.report
      guard let (id, place) = known[LayerName(row)],
        layer.rowCount > 0, layer.rowCount <= tasks[place.task].rowCount - place.firstRow,
        let scheme = tasks[place.task].type.scheme
      else { throw misfit(row) }
      let task = tasks[place.task]
      let arrays = views.map { view in view.withUnsafeBytes { [UInt8]($0) } }
      let tensor: QuantizedTensor
      do {
        tensor = try task.layout.unpack(
          arrays.map { NamedBytes(bytes: $0) }, rowCount: layer.rowCount,
          columnCount: task.columnCount, scheme: scheme)
      } catch {
        throw misfit(row)
      }
      try put(arrays, rowCount: layer.rowCount, row, at: place)
      if decoding { finished.weights[id] = try replacement(tensor, place) }
    }
    return finished
  }

  private func layers(ofBlock block: Int) -> [LayerName: (TensorID, Place)] {
    var layers: [LayerName: (TensorID, Place)] = [:]
    for (id, place) in places where id.block == block {
      layers[LayerName(name: tasks[place.task].name, expert: id.expert)] = (id, place)
    }
    return layers
  }

  private func misfit(_ row: CalibratedLayerReport) -> CheckpointError {
    CheckpointError(
      .malformed, "the journal of an interrupted run does not fit; say --no-resume to start again",
      tensor: row.name)
  }
}

/// How the rows of a report name a layer.
private struct LayerName: Hashable {
  var name: String
  var expert: Int?

  init(name: String, expert: Int?) {
    self.name = name
    self.expert = expert
  }

  init(_ row: CalibratedLayerReport) { self.init(name: row.name, expert: row.expert) }
}
