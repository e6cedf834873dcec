import Foundation
import NibbleCheckpoints
import NibbleEvaluation
import NibbleModels
import NibbleTensors
import TestSupport
import Testing

@Suite("Comparing models")
struct ComparisonTests {
  private let comparer = ModelComparer(pool: WorkerPool(threadCount: 2))
  private let grouped = Fixtures.path("models/llama-grouped")
  private let copies = ["q8_0", "q4_0"].map { Fixtures.path("inspection/\($0).gguf") }

  @Test("GGUF copies against the Hugging Face folder: figures equal numpy's")
  func golden() throws {
    let text = try String(
      contentsOfFile: Fixtures.path("inspection/distortions.json"), encoding: .utf8)
    let expected = try JSONValue.parse(text)
    let comparison = try comparer.compare(copies, against: grouped)
    for (name, candidate) in zip(["q8_0", "q4_0"], comparison.candidates) {
      #expect(candidate.missing.isEmpty)
      #expect(candidate.additional.isEmpty)
      #expect(candidate.incomparable.isEmpty)
      let golden = try #require(expected[name]?.object)
      #expect(candidate.tensors.count == golden.count)
      for tensor in candidate.tensors {
        let figures = try #require(golden[tensor.name])
        let distortion = tensor.distortion
        let found = [
          "relative_error": distortion.relativeError, "largest_error": distortion.largestError,
          "bits_per_weight": distortion.bitsPerWeight, "sqnr_db": distortion.signalToNoise,
          "cosine": distortion.cosine, "bound_distance_db": distortion.boundDistance,
        ]
        for key in try #require(figures.object).keys {
          let value = try #require(figures[key]?.number)
          #expect(agree(found[key] ?? nil, value), "\(name) \(tensor.name) \(key)")
        }
        if distortion.relativeError == 0 {
          #expect(distortion.signalToNoise == nil)
          #expect(distortion.boundDistance == nil)
          #expect(distortion.cosine == 1)
        }
      }
    }
  }

  @Test("Totals and roles are the sums over their tensors")
  func totals() throws {
    let comparison = try comparer.compare(copies, against: grouped)
    for candidate in comparison.candidates {
      let count = candidate.tensors.reduce(0) { $0 + $1.distortion.count }
      #expect(candidate.total.count == count)
      #expect(candidate.roles.reduce(0) { $0 + $1.distortion.count } == count)
      let largest = candidate.tensors.map(\.distortion.largestError).max()
      #expect(candidate.total.largestError == largest)
      let errors = candidate.worstFirst.map(\.distortion.relativeError)
      #expect(errors == errors.sorted(by: >))
      #expect(agree(candidate.total.bitsPerWeight, candidate.bitsPerWeight))
      #expect(candidate.roles.first { $0.role == .norm }?.distortion.relativeError == 0)
    }
    let bits = comparison.candidates.map(\.bitsPerWeight)
    #expect(bits[0] > bits[1])
    #expect(
      comparison.candidates[0].total.relativeError < comparison.candidates[1].total.relativeError)
  }

  @Test("Known numbers: error, SQNR, cosine, distance to the bound")
  func knownNumbers() throws {
    let folder = try TemporaryFolder()
    try write([3, -4, 0, 5, 1], to: folder.path("a.safetensors"))
    try write([3, -3, 0, 5, 3], to: folder.path("b.safetensors"))
    let comparison = try comparer.compare(
      [folder.path("b.safetensors")], against: folder.path("a.safetensors"))
    let found = try #require(comparison.candidates.first?.tensors.first).distortion
    #expect(agree(found.relativeError, 5.0 / 51))
    #expect(agree(found.signalToNoise, 10 * log10(51.0 / 5)))
    #expect(agree(found.cosine, 49 / (51.0 * 52).squareRoot()))
    #expect(found.largestError == 2)
    // Variance 51/5 − 1, at 32 bits.
    #expect(agree(found.boundDistance, 10 * log10(1 / (9.2 * exp2(-64)))))
    #expect(RateDistortion.bound(variance: 1, bits: 4) == 0.00390625)
  }

  @Test("Weights that are not finite are counted and left out")
  func nonFinite() throws {
    let folder = try TemporaryFolder()
    try write([1, 2, .nan, 4], to: folder.path("a.safetensors"))
    try write([1, .infinity, 3, 6], to: folder.path("b.safetensors"))
    let comparison = try comparer.compare(
      [folder.path("b.safetensors")], against: folder.path("a.safetensors"))
    let found = try #require(comparison.candidates.first?.tensors.first).distortion
    #expect(found.nonFiniteCount == 2)
    #expect(found.count == 2)
    #expect(agree(found.relativeError, 4.0 / 17))
    #expect(comparison.notes.contains { $0.contains("w: 2 weights are not finite") })
  }

  @Test("Zeros: no figure is invented")
  func zeros() throws {
    let folder = try TemporaryFolder()
    try write([0, 0], to: folder.path("a.safetensors"))
    try write([0, 1], to: folder.path("b.safetensors"))
    let (a, b) = (folder.path("a.safetensors"), folder.path("b.safetensors"))
    let comparison = try comparer.compare([a, b], against: a)
    let found = comparison.candidates.map(\.total)
    #expect(found[0].relativeError == 0)
    #expect(found[0].cosine == nil)
    #expect(found[1].relativeError == .infinity)
    #expect(found[1].boundDistance == nil)
    #expect(try JSONValue.parse(comparison.json.text())["candidates"]?.array?.count == 2)
    #expect(ReportPage(comparison).html.contains("</html>"))
  }

  @Test("Tensors that one side lacks, or has in another shape or type, are named")
  func gaps() throws {
    let folder = try TemporaryFolder()
    typealias Tensor = TestCheckpoint.Tensor
    try TestCheckpoint.write(
      [
        Tensor("same", [2], [1, 2]), Tensor("gone", [1], [1]), Tensor("shape", [2, 1], [1, 2]),
        Tensor("type", [1], [1]),
      ], to: folder.path("a.safetensors"))
    try TestCheckpoint.write(
      [
        Tensor("same", [2], [1, 2]), Tensor("more", [1], [1]), Tensor("shape", [1, 2], [1, 2]),
        Tensor("type", "BOOL", [1], [1]),
      ], to: folder.path("b.safetensors"))
    let comparison = try comparer.compare(
      [folder.path("b.safetensors")], against: folder.path("a.safetensors"))
    let candidate = try #require(comparison.candidates.first)
    #expect(candidate.tensors.map(\.name) == ["same"])
    #expect(candidate.missing == ["gone"])
    #expect(candidate.additional == ["more"])
    #expect(candidate.incomparable.count == 2)
    #expect(candidate.incomparable.contains("type cannot be decoded from BOOL"))
    #expect(ReportPage(comparison).html.contains("gone is missing"))
  }

  @Test("Biases follow the order of their rows")
  func biases() throws {
    let path = Fixtures.path("models/llama-odd-heads")
    let comparison = try comparer.compare([path], against: path)
    let candidate = try #require(comparison.candidates.first)
    #expect(candidate.roles.contains { $0.role == .bias })
    #expect(candidate.total.relativeError == 0)
    #expect(candidate.total.cosine == 1)
  }

  @Test("Figures are the same for any number of threads")
  func threads() throws {
    let folder = try TemporaryFolder()
    var model = TinyModel()
    try model.write(to: folder.path("a"))
    model.seed = 2
    try model.write(to: folder.path("b"))
    let texts = try [1, 2, 5].map { count in
      try ModelComparer(pool: WorkerPool(threadCount: count))
        .compare([folder.path("b")], against: folder.path("a")).json.text()
    }
    #expect(texts[0] == texts[1])
    #expect(texts[0] == texts[2])
  }

  private func write(_ values: [Float], to path: String) throws {
    try TestCheckpoint.write([TestCheckpoint.Tensor("w", [1, values.count], values)], to: path)
  }
}
