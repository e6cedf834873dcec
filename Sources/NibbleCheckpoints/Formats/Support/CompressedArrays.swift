internal import NibbleQuantization
internal import NibbleTensors

/// The tensors of a folder while those of its quantized matrices are being put together.
struct CompressedArrays {
  private let records: [TensorRecord]
  private let places: [String: Int]
  /// Records that became part of a matrix, by their place: the place of the matrix.
  private var owners: [Int: Int] = [:]
  private var matrices: [TensorRecord] = []
  private var dropped: Set<Int> = []

  init(_ records: [TensorRecord]) {
    self.records = records
    places = Dictionary(
      records.indices.map { (records[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The tensor of that name, whether or not it is part of a matrix already.
  subscript(name: String) -> TensorRecord? { places[name].map { records[$0] } }

  /// The tensor of that name.
  ///
  /// - Throws: ``CheckpointError`` that names `matrix` when there is none.
  func require(_ name: String, of matrix: String) throws(CheckpointError) -> TensorRecord {
    guard let record = self[name] else {
      throw CheckpointError(.missing, "its array \(printable(name)) is missing", tensor: matrix)
    }
    return record
  }

  /// Leaves a tensor out.
  mutating func drop(_ name: String) {
    if let place = places[name] { dropped.insert(place) }
  }

  /// Makes one record of the arrays of a matrix.
  ///
  /// - Parameters:
  ///   - name: the record's name.
  ///   - scheme: what the arrays store.
  ///   - layout: what reads them.
  ///   - shape: rows and columns.
  ///   - loose: parts whose type and shape need not be those of the layout, as long as their bytes are as many.
  ///   - ofAnyLength: parts whose type alone is that of the layout.
  ///   - substitutes: the bytes of parts that the folder need not hold.
  ///   - arrayName: the name of a part's tensor.
  /// - Throws: ``CheckpointError`` when an array is missing, or has another type or shape than the layout needs; dimensions
  ///   of 1 count for nothing.
  mutating func join(
    _ name: String, scheme: Scheme, layout: any ArrayLayout, shape: [Int],
    loose: [String] = [], ofAnyLength: [String] = [], substitutes: [String: [UInt8]] = [:],
    arrayName: (String) -> String
  ) throws(CheckpointError) {
    let parts: [SchemePart]
    do {
      parts = try layout.parts(
        scheme, rowCount: shape.dropLast().reduce(1, *), columnCount: shape.last ?? 1)
    } catch {
      throw CheckpointError(.unsupported, error.message, tensor: name)
    }
    var views: [ByteView] = []
    for part in parts {
      let partName = arrayName(part.name)
      guard let place = places[partName] else {
        guard let bytes = substitutes[part.name] else {
          throw CheckpointError(
            .missing, "its array \(printable(partName)) is missing", tensor: name)
        }
        views.append(Storage(copying: bytes).view)
        continue
      }
      let array = records[place]
      let fits =
        if ofAnyLength.contains(part.name) {
          array.type == .plain(part.type)
        } else if loose.contains(part.name) {
          array.byteCount == part.byteCount
        } else {
          array.type == .plain(part.type)
            && array.shape.filter { $0 != 1 } == part.shape.filter { $0 != 1 }
        }
      guard fits, owners[place] == nil else {
        throw CheckpointError(
          .malformed,
          "its array \(part.name) is \(array.type.name) \(array.shape.prefix(8)), not "
            + "\(part.type.rawValue) \(part.shape)", tensor: name)
      }
      owners[place] = matrices.count
      views.append(array.bytes)
    }
    var record = TensorRecord(name: name, shape: shape, type: .scheme(scheme), parts: views)
    record.layout = layout
    matrices.append(record)
  }

  /// All tensors: each matrix where the first of its arrays stood.
  ///
  /// - Throws: ``CheckpointError`` when two tensors have one name.
  func gathered() throws(CheckpointError) -> [TensorRecord] {
    var isPlaced = [Bool](repeating: false, count: matrices.count)
    var names: Set<String> = []
    var result: [TensorRecord] = []
    for (place, record) in records.enumerated() where !dropped.contains(place) {
      var found = record
      if let owner = owners[place] {
        if isPlaced[owner] { continue }
        isPlaced[owner] = true
        found = matrices[owner]
      }
      guard names.insert(found.name).inserted else {
        throw CheckpointError(
          .malformed, "stands in the folder twice, once quantized", tensor: found.name)
      }
      result.append(found)
    }
    return result
  }
}
