// Weights a second that each scheme and range is quantized with, from floats in memory to codes and scales.
//
//   swift run -c release --package-path Benchmarks/Quantize quantize-speed [THREADS] [SCHEME[:RANGE] ...]
import Nibble

let defaults = [
  "int8-row-sym:absmax", "int8-tensor-sym:absmax", "int4-g32-sym:absmax", "int4-g128-asym:minmax",
  "int4-g64-min:minmax", "nf4-g64:absmax", "nf4-g64-dq:absmax", "mxfp4:absmax", "int8-row-sym:mse",
  "int4-g32-sym:mse", "int4-g64-asym:mse", "nf4-g64:mse", "int8-row-sym:percentile=99.9",
  "int8-row-sym:kl", "int4-g64-asym:hqq", "kmeans4-row", "kmeans3-g64",
]

let columnCount = 4096
let blockRowCount = 64

/// Rows of normal numbers, the same for every thread.
func weights() -> [Float] {
  var random = RandomSource(seed: 1)
  return (0..<blockRowCount * columnCount).map { _ in Float(random.gaussian()) * 0.02 }
}

@main
struct QuantizeSpeed {
  static func main() { measure() }
}

/// Outside the type, since `main` belongs to the main thread and the work does not.
func measure() {
  let arguments = CommandLine.arguments.dropFirst()
  let threadCount = arguments.first.flatMap { Int($0) } ?? 2
  let names = Array(arguments.filter { Int($0) == nil })
  let block = weights()
  let pool = WorkerPool(threadCount: threadCount)
  print(
    "\(threadCount) threads, rows of \(columnCount); million weights a second, best of 5 runs")
  for name in names.isEmpty ? defaults : names {
    let parts = name.split(separator: ":").map(String.init)
    guard let scheme = Scheme(name: parts[0]) else { fatalError("no scheme \(parts[0])") }
    let range = parts.count > 1 ? RangeRegistry.find(parts[1]) : nil
    let method = RoundToNearest(range: range ?? scheme.usualRange)
    var best = 0.0
    for _ in 0..<5 {
      let clock = ContinuousClock()
      var done = 0
      let start = clock.now
      repeat {
        pool.rows(threadCount) { threads in
          for _ in threads {
            for _ in 0..<2 {
              let tensor = try? block.withUnsafeBufferPointer {
                try method.quantize(
                  $0, rowCount: blockRowCount, columnCount: columnCount, as: scheme)
              }
              precondition(tensor != nil)
            }
          }
        }
        done += threadCount * 2 * block.count
      } while clock.now - start < .milliseconds(300)
      best = max(best, Double(done) / ((clock.now - start) / .seconds(1)))
    }
    let text = String(Int(best / 1e5))
    print("\(name): \(text.dropLast().isEmpty ? "0" : text.dropLast()).\(text.suffix(1))")
  }
}
