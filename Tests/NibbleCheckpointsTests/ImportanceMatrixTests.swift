import Foundation
import NibbleCheckpoints
import NibbleTensors
import TestSupport
import Testing

@Suite("Importance matrix files")
struct ImportanceMatrixTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private let matrix = ImportanceMatrix(
    entries: [
      ImportanceMatrix.Entry(
        name: "blk.0.attn_q.weight", columnCount: 4, squareSums: [2, 4, 6, 8], counts: [2]),
      ImportanceMatrix.Entry(
        name: "blk.0.ffn_up_exps.weight", columnCount: 2, squareSums: [1, 2, 0, 0, 9, 3],
        counts: [1, 0, 3]),
    ], datasets: ["a.txt", "b.txt"], windowCount: 3, windowTokenCount: 128)

  @Test("GGUF: what was written is read")
  func roundTrip() throws {
    let path = folder.path("importance.gguf")
    try matrix.write(to: path)
    let read = try ImportanceMatrix.read(path)
    #expect(read == matrix)
    let entry = try #require(read["blk.0.ffn_up_exps.weight"])
    #expect(entry.importance(layer: 0) == [1, 2])
    #expect(entry.importance(layer: 1) == [1, 1])
    #expect(entry.importance(layer: 2) == [3, 1])
  }

  @Test("GGUF: shapes, types and keys as llama.cpp wants them")
  func layout() throws {
    let path = folder.path("importance.gguf")
    try matrix.write(to: path)
    let checkpoint = try Checkpoint.open(path)
    #expect(
      checkpoint.metadata.keys == [
        "general.type", "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size",
      ])
    #expect(checkpoint["blk.0.ffn_up_exps.weight.in_sum2"]?.shape == [3, 2])
    #expect(checkpoint["blk.0.ffn_up_exps.weight.counts"]?.shape == [3, 1])
    #expect(checkpoint.tensors.allSatisfy { $0.type == .plain(.float32) })
  }

  @Test("The format before GGUF")
  func legacy() throws {
    let read = try ImportanceMatrix.read(Fixtures.path("calibration/legacy.dat"))
    #expect(read.datasets == ["wiki.txt"] && read.windowCount == 2)
    #expect(read.entries.map(\.name) == ["blk.0.ffn_up.weight", "blk.1.ffn_down_exps.weight"])
    #expect(read.entries[0].importance() == [0.5, 1])
    let stack = try #require(read.entries[1].split(columnCount: 2))
    #expect((0..<3).map { stack.importance(layer: $0) } == [[1, 2], [3, 4], [5, 6]])
    #expect(read.entries[1].split(columnCount: 4) == nil)
  }

  @Test("Broken files are refused with a reason and never trap")
  func hostile() throws {
    let gguf = folder.path("importance.gguf")
    try matrix.write(to: gguf)
    let path = folder.path("broken")
    for source in [gguf, Fixtures.path("calibration/legacy.dat")] {
      let good = try Data(contentsOf: URL(filePath: source))
      for count in stride(from: 0, to: good.count, by: 3) {
        try good.prefix(count).write(to: URL(filePath: path))
        _ = try? ImportanceMatrix.read(path)
      }
      #expect(throws: CheckpointError.self) {
        try good.prefix(40).write(to: URL(filePath: path))
        _ = try ImportanceMatrix.read(path)
      }
      var mutator = Mutator(seed: 5)
      for _ in 0..<2000 {
        try Data(mutator.next([Array(good)])).write(to: URL(filePath: path))
        guard let read = try? ImportanceMatrix.read(path) else { continue }
        for entry in read.entries {
          for layer in 0..<entry.layerCount {
            #expect(entry.importance(layer: layer).allSatisfy { !$0.isNaN && $0 >= 0 })
          }
        }
      }
    }
    #expect(throws: CheckpointError.self) {
      _ = try ImportanceMatrix.read(Fixtures.path("checkpoints/small.gguf"))
    }
    #expect(throws: CheckpointError.self) { _ = try ImportanceMatrix.read(folder.path("nothing")) }
  }

  @Test("Values that no text gives are refused", arguments: [-1, .nan, .infinity] as [Float])
  func implausible(_ value: Float) throws {
    for isCount in [false, true] {
      let entry = ImportanceMatrix.Entry(
        name: "w", columnCount: 1, squareSums: [isCount ? 1 : value], counts: [isCount ? value : 1])
      let path = folder.path("bad.gguf")
      try ImportanceMatrix(entries: [entry]).write(to: path)
      #expect(throws: CheckpointError.self) { _ = try ImportanceMatrix.read(path) }
    }
  }
}
