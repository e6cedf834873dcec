internal import Foundation
public import NibbleTensors

/// Scales for the input channels of layers, chosen so that rounding hurts the outputs least ("awq").
///
/// Implements Lin et al. 2024 (arXiv:2306.00978), section 3.2. Channels whose inputs are large have their weights
/// multiplied before they are rounded, and what makes these inputs divided: the model computes what it did, and the
/// errors of these weights shrink against the others'. Scales are a power, the *ratio*, of the mean magnitudes of the
/// inputs. Of a grid of ratios the best is taken by the error of the layers' outputs, which the second moments of the
/// inputs give exactly.
public struct ActivationAwareScaling: Sendable {
  /// Ratios that are tried: 0, 1 / `ratioCount`, 2 / `ratioCount` and so on, below 1.
  public var ratioCount = 20
  /// Whether candidates are rounded by the search that weighs each column's error by its input, where the method has one.
  public var weighsErrors = false

  public init() {}

  /// One of the layers that read the channels.
  public struct Layer: Sendable {
    /// `[rows, columns]`, row-major: all of the layer's rows, or some that stand for them.
    public var weights: [Float]
    /// Rows of the layer for each of `weights`.
    public var rowShare: Double
    /// What the weights become.
    public var scheme: Scheme
    /// What rounds them.
    public var method: RoundToNearest

    public init(
      weights: [Float], rowShare: Double = 1, scheme: Scheme,
      method: RoundToNearest = RoundToNearest()
    ) {
      self.weights = weights
      self.rowShare = rowShare
      self.scheme = scheme
      self.method = method
    }
  }

  /// What a search has found.
  public struct Choice: Sendable, Equatable {
    /// The power of the magnitudes; 0 where nothing is scaled.
    public var ratio: Double
    /// `[columns]`: what each column of the layers is multiplied by, positive and finite.
    public var scales: [Float]
    /// Mean square output errors of all layers, added up, without scaling.
    public var lossBefore: Double
    /// The same with the scales; never above `lossBefore`.
    public var lossAfter: Double
  }

  /// Chooses scales for channels that several layers read.
  ///
  /// - Parameters:
  ///   - layers: the layers, as many columns each.
  ///   - magnitudes: `[columns]`: the mean of |x| of each input.
  ///   - hessian: `[columns, columns]`: the mean of xᵀx, symmetric.
  ///   - channels: `[columns]`: columns with the same number get the same scale; nil leaves each its own.
  ///   - pool: threads that share rows; the result is the same for any number of them.
  /// - Returns: the best ratio, its scales, and the losses. Of equals the smallest ratio is taken.
  /// - Throws: ``QuantizationError`` when counts do not fit, a number is NaN, infinite or a magnitude negative, or a
  ///   layer cannot be rounded.
  /// - Complexity: for each ratio O(rows · columns²) multiply-adds over the rows of all layers.
  public func search(
    _ layers: [Layer], magnitudes: [Double], hessian: [Float], channels: [Int]? = nil,
    pool: WorkerPool
  ) throws(QuantizationError) -> Choice {
    let count = magnitudes.count
    let (square, overflow) = count.multipliedReportingOverflow(by: count)
    guard !overflow, hessian.count == square, channels.map({ $0.count == count }) ?? true,
      count > 0, layers.allSatisfy({ $0.weights.count.isMultiple(of: count) })
    else { throw QuantizationError(.shape, "the statistics do not fit \(count) columns") }
    guard magnitudes.allSatisfy({ $0.isFinite && $0 >= 0 }), hessian.allSatisfy(\.isFinite) else {
      throw QuantizationError(.invalidValue, "the statistics hold NaN, infinity or less than 0")
    }
    let shared = channels.map { Self.mean(magnitudes, over: $0) } ?? magnitudes
    var best: Choice?
    for step in 0..<max(1, ratioCount) {
      let ratio = Double(step) / Double(max(1, ratioCount))
      let scales = Self.scales(shared, ratio: ratio)
      var loss = 0.0
      for layer in layers { loss += try self.loss(layer, scales, hessian, pool) }
      guard let known = best else {
        best = Choice(ratio: ratio, scales: scales, lossBefore: loss, lossAfter: loss)
        continue
      }
      if loss < known.lossAfter {
        best = Choice(
          ratio: ratio, scales: scales, lossBefore: known.lossBefore, lossAfter: loss)
      }
    }
    guard let best, best.lossBefore.isFinite else {
      throw QuantizationError(.invalidValue, "the output error is no finite number")
    }
    return best
  }

  /// The scales of one ratio: the magnitudes' power, at least 1e-4, divided by the geometric mean of the largest and the
  /// smallest, so that scales lie around 1. For ratio 0 all are 1.
  ///
  /// - Parameters:
  ///   - magnitudes: `[columns]`, finite and not negative.
  ///   - ratio: 0 to 1.
  /// - Returns: `[columns]`, positive and finite.
  public static func scales(_ magnitudes: [Double], ratio: Double) -> [Float] {
    let powers = magnitudes.map { max(pow($0, ratio), 1e-4) }
    let middle = ((powers.max() ?? 1) * (powers.min() ?? 1)).squareRoot()
    return powers.map { Float($0 / middle) }
  }

  /// Each channel's mean over the columns that share it.
  private static func mean(_ magnitudes: [Double], over channels: [Int]) -> [Double] {
    var sums: [Int: (sum: Double, count: Double)] = [:]
    for (channel, magnitude) in zip(channels, magnitudes) {
      let known = sums[channel] ?? (0, 0)
      sums[channel] = (known.sum + magnitude, known.count + 1)
    }
    return channels.map { channel in sums[channel].map { $0.sum / $0.count } ?? 0 }
  }

  /// The mean square output error of a layer that is scaled, rounded and scaled back.
  private func loss(
    _ layer: Layer, _ scales: [Float], _ hessian: [Float], _ pool: WorkerPool
  ) throws(QuantizationError) -> Double {
    let count = scales.count
    var rounding = RowRounding(
      method: layer.method, scheme: layer.scheme.inNaturalOrder, columnCount: count, pool: pool)
    if weighsErrors {
      rounding.importance = scales.indices.map { column in
        max(0, hessian[column * (count + 1)]) / (scales[column] * scales[column])
      }
    }
    var scaled = layer.weights
    for row in stride(from: 0, to: scaled.count, by: count) {
      for column in 0..<count { scaled[row + column] *= scales[column] }
    }
    var errors = try rounding.decoded(scaled)
    let inverses = scales.map { 1 / $0 }
    for row in stride(from: 0, to: errors.count, by: count) {
      for column in 0..<count {
        errors[row + column] =
          layer.weights[row + column] - errors[row + column] * inverses[column]
      }
    }
    let rows = OutputErrors.rows(errors, hessian, columnCount: count, pool: pool)
    return layer.rowShare * rows.reduce(0, +)
  }
}
