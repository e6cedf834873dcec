internal import NibbleCheckpoints
internal import NibbleModels

/// Gathers the statistics of a pass as the entries of an importance matrix, experts stacked, under the names of GGUF files.
struct ImportanceCollector {
  private let names: [TensorID: String]
  private let expertCount: Int
  private var places: [String: Int] = [:]
  private(set) var entries: [ImportanceMatrix.Entry] = []

  init(_ source: ModelSource) {
    names = Dictionary(
      source.mapped(to: .gguf).map { ($0.id.ofAllExperts, $0.name) },
      uniquingKeysWith: { first, _ in first })
    expertCount = source.config?.expertCount ?? 0
  }

  mutating func add(_ statistics: InputStatistics) {
    for layer in statistics.stage.layers {
      guard let name = names[layer.ofAllExperts] else { continue }
      let columnCount = statistics.columnCount
      let layerCount = layer.expert == nil ? 1 : expertCount
      if places[name] == nil {
        places[name] = entries.count
        entries.append(
          ImportanceMatrix.Entry(
            name: name, columnCount: columnCount,
            squareSums: [Float](repeating: 0, count: layerCount * columnCount),
            counts: [Float](repeating: 0, count: layerCount)))
      }
      guard let place = places[name] else { continue }
      let index = layer.expert ?? 0
      let first = index * columnCount
      for (column, sum) in statistics.squareSums.enumerated() {
        entries[place].squareSums[first + column] = Float(sum)
      }
      entries[place].counts[index] = Float(statistics.tokenCount)
    }
  }
}
