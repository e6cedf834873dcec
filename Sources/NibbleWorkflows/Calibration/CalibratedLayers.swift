internal import NibbleCheckpoints
internal import NibbleModels
public import NibbleQuantization
internal import NibbleTensors

/// The layers of a model that are quantized while text runs through it, and where their bytes go.
///
/// A layer is quantized with its rows in the order that the output wants: groups lie along rows, so that the order changes no
/// code. The run goes on with the decoded weights in the order that the forward pass wants, factors of a transform taken off
/// again: it is the original model that runs.
final class CalibratedLayers {
  /// What finds the codes of weights `[rowCount, columnCount]`.
  typealias Method = (UnsafeBufferPointer<Float>, _ rowCount: Int, _ columnCount: Int, Scheme)
    throws(QuantizationError) -> (QuantizedTensor, LayerReport)

  /// Where a layer stands in the output.
  struct Place {
    var task: Int
    /// The first of its rows in the output's tensor, which may hold several experts.
    var firstRow: Int
    var order: RowOrder
  }

  /// What was achieved, layer by layer in the order of the run.
  private(set) var reports: [CalibratedLayerReport] = []
  /// A hash of the bytes of each chunk, by the chunk's index.
  private(set) var hashes: [Int: ByteHash] = [:]
  /// Where finished blocks are kept for the case that the run is killed; nil keeps none.
  var journal: CalibrationJournal?
  /// Is told of each layer.
  var log: RunLog?
  /// All of the output's tensors.
  let tasks: [TensorTask]
  let places: [TensorID: Place]
  private let chunks: [Int: [(index: Int, chunk: RowChunk)]]
  private let writer: any CheckpointWriter
  /// The layers, tensor by tensor in the output's order.
  let ids: [TensorID]
  private var unfinished: [Int: TaskBuffer] = [:]

  /// - Parameters:
  ///   - tasks: all of the output's tensors.
  ///   - chunks: the tasks cut into chunks.
  ///   - writer: takes the bytes.
  init(_ tasks: [TensorTask], _ chunks: [RowChunk], writer: any CheckpointWriter) {
    self.tasks = tasks
    self.writer = writer
    var places: [TensorID: Place] = [:]
    for (index, task) in tasks.enumerated() where task.isCalibrated {
      guard let id = task.id, case .stored(let origin) = task.origin else { continue }
      let isStack = id.role.isExpert && id.expert == nil
      let rowCount = task.rowCount / (isStack ? origin.records.count : 1)
      for expert in 0..<(isStack ? origin.records.count : 1) {
        var layer = id
        if isStack { layer.expert = expert }
        places[layer] = Place(
          task: index, firstRow: expert * rowCount,
          order: origin.order == .transposed ? .same : origin.order)
      }
    }
    self.places = places
    ids = places.sorted { ($0.value.task, $0.value.firstRow) < ($1.value.task, $1.value.firstRow) }
      .map(\.key)
    self.chunks = Dictionary(
      grouping: chunks.enumerated().filter { tasks[$0.element.task].isCalibrated }
        .map { (index: $0.offset, chunk: $0.element) }, by: \.chunk.task)
  }

  /// Quantizes a layer, writes its tensor once that is whole, and gives the weights with which the run goes on.
  ///
  /// - Parameters:
  ///   - layer: one of the model's layers.
  ///   - model: whose weights to take.
  ///   - tokenCount: tokens that its inputs were measured on; nil where nobody knows.
  ///   - method: what finds the codes.
  /// - Returns: the decoded weights; nil for layers that are kept.
  /// - Throws: `CheckpointError` that names the tensor.
  func quantize(
    _ layer: TensorID, of model: LanguageModel, tokenCount: Int?, _ method: Method
  ) throws -> ReplacementWeights? {
    guard let place = places[layer], let weights = model.weightValues(of: layer),
      let scheme = tasks[place.task].type.scheme
    else { return nil }
    let task = tasks[place.task]
    let (rowCount, columnCount) = (weights.rowCount, weights.columnCount)
    let rows = place.firstRow..<place.firstRow + rowCount
    var ordered = moved(weights.values, columnCount, place.order)
    ordered.withUnsafeMutableBufferPointer { task.factors?.apply(to: $0, rows, columnCount) }
    guard ordered.allSatisfy(\.isFinite) else {
      throw CheckpointError(.invalidValue, "holds NaN or infinity", tensor: task.name)
    }
    let start = ContinuousClock.now
    let tensor: QuantizedTensor
    let row: CalibratedLayerReport
    let arrays: [[UInt8]]
    do {
      let result = ordered.withUnsafeBufferPointer { values in
        Result { () throws(QuantizationError) in
          try method(values, rowCount, columnCount, scheme)
        }
      }
      let (found, report) = try result.get()
      tensor = found
      row = CalibratedLayerReport(
        name: task.name, expert: layer.expert, tokenCount: tokenCount, report: report,
        seconds: (ContinuousClock.now - start) / .seconds(1))
      arrays = try task.layout.pack(tensor).map(\.bytes)
    } catch {
      throw CheckpointError(.invalidValue, error.message, tensor: task.name)
    }
    try put(arrays, rowCount: rowCount, row, at: place)
    log?.write("layer", row.json)
    try journal?.add(row, rowCount: rowCount, arrays)
    return try replacement(tensor, place)
  }

  /// Puts a layer's arrays into the output, which is written as soon as the tensor is whole.
  func put(
    _ arrays: [[UInt8]], rowCount: Int, _ row: CalibratedLayerReport, at place: Place
  ) throws(CheckpointError) {
    reports.append(row)
    var buffer = unfinished[place.task] ?? TaskBuffer(tasks[place.task])
    buffer.add(arrays, rowCount: rowCount, firstRow: place.firstRow)
    unfinished[place.task] = buffer
    try writeIfWhole(place.task)
  }

  /// The decoded weights in the order that the forward pass wants, with the factors of a transform undone.
  func replacement(_ tensor: QuantizedTensor, _ place: Place) throws -> ReplacementWeights {
    var result = tensor.dequantized()
    let rows = place.firstRow..<place.firstRow + tensor.rowCount
    result.withUnsafeMutableBufferPointer {
      tasks[place.task].factors?.undo(on: $0, rows, tensor.columnCount)
    }
    let decoded = moved(result, tensor.columnCount, place.order.inverse)
    return try decoded.withUnsafeBufferPointer {
      try ReplacementWeights(
        floats: $0, rowCount: tensor.rowCount, columnCount: tensor.columnCount)
    }
  }

  /// The tensors that the run did not make whole: none, unless the model has layers that it never uses.
  var missing: [String] {
    Set(places.values.map(\.task)).filter { task in
      (chunks[task] ?? []).contains { hashes[$0.index] == nil }
    }.sorted().map { tasks[$0].name }
  }

  private func writeIfWhole(_ index: Int) throws(CheckpointError) {
    guard let buffer = unfinished[index], buffer.isWhole else { return }
    unfinished[index] = nil
    let views = buffer.views
    for (place, chunk) in chunks[index] ?? [] {
      let pieces = tasks[index].pieces(of: views, chunk.rows)
      hashes[place] = pieces.hash
      for piece in pieces {
        try piece.bytes.withUnsafeBytes { (bytes) throws(CheckpointError) in
          try writer.write(bytes, tensor: index, at: piece.offset)
        }
      }
    }
    tasks[index].releaseSource()
  }

  /// Rows moved as `order` says.
  private func moved(_ values: [Float], _ columnCount: Int, _ order: RowOrder) -> [Float] {
    guard order != .same else { return values }
    return [Float](unsafeUninitializedCapacity: values.count) { target, count in
      for row in 0..<values.count / columnCount {
        let first = order.sourceRow(row) * columnCount
        _ = target[(row * columnCount)...].initialize(
          fromContentsOf: values[first..<first + columnCount])
      }
      count = values.count
    }
  }
}

/// What quantizing one layer achieved.
public struct CalibratedLayerReport: Codable, Sendable {
  /// The tensor's name in the output.
  public var name: String
  /// The expert, where the tensor holds several.
  public var expert: Int?
  /// Tokens that reached it; nil where only their importance is known.
  public var tokenCount: Int?
  public var report: LayerReport
  public var seconds: Double
}

/// The bytes of one of the output's tensors, filled layer by layer.
private struct TaskBuffer {
  private let task: TensorTask
  private var parts: [[UInt8]]
  private var rowCount = 0

  init(_ task: TensorTask) {
    self.task = task
    if case .scheme(let scheme) = task.type {
      parts = task.parts(scheme).map { [UInt8](repeating: 0, count: $0.byteCount) }
    } else {
      parts = [[UInt8](repeating: 0, count: task.byteCount)]
    }
  }

  var isWhole: Bool { rowCount == task.rowCount }
  var views: [ByteView] { parts.map { Storage(copying: $0).view } }

  mutating func add(_ arrays: [[UInt8]], rowCount: Int, firstRow: Int) {
    for (index, bytes) in arrays.enumerated() {
      if rowCount == task.rowCount {
        parts[index] = bytes
      } else {
        let first = firstRow * (bytes.count / max(rowCount, 1))
        parts[index].replaceSubrange(first..<first + bytes.count, with: bytes)
      }
    }
    self.rowCount += rowCount
  }
}

extension TensorTask {
  /// The bytes of rows of a whole tensor, its arrays given as `views`.
  fileprivate func pieces(of views: [ByteView], _ rows: Range<Int>) -> [ArrayPiece] {
    if case .scheme(let scheme) = type {
      let record = TensorRecord(name: name, shape: shape, type: type, parts: views)
      return pieces(of: record, scheme, rows)
    }
    let bytes = rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount
    return [ArrayPiece(bytes: .stored(views[0][bytes]), offset: bytes.lowerBound)]
  }
}
