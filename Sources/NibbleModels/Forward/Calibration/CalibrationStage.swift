/// Layers of a block that share their input: queries, keys and values, or gate and up.
public struct CalibrationStage: Sendable, Hashable {
  /// The block's index.
  public let block: Int
  /// The stage's place within the block, in the order in which the block first uses its layers.
  public let index: Int
  /// The layers, in the order in which the block uses them.
  public let layers: [TensorID]
  /// Input features.
  public let columnCount: Int
}

/// Some rows of a stage's input, valid during the call that hands them over.
package struct StageRows {
  package let stage: CalibrationStage
  /// Tokens.
  package let rowCount: Int
  /// What the model's own weights give, `[rowCount, columnCount]`; nil where only the stream of replaced weights is run.
  package let original: UnsafePointer<Float>?
  /// What the weights replaced so far give, `[rowCount, columnCount]`; nil while it is the same.
  package let replaced: UnsafePointer<Float>?

  /// What the outputs of the layer's own weights lack for the residual stream that it adds to to become that of the model's own
  /// weights, `[rowCount, width]`; nil for layers that add to none, and where one stream only is run.
  package var lack: (width: Int, values: UnsafePointer<Float>)?
  /// `[rowCount]`: what each row's errors count in second moments; nil where all count alike.
  package var weights: [Float]?

  /// What the model that is being made sees.
  package var current: UnsafePointer<Float>? { replaced ?? original }
}

/// What takes part in a calibration run: it sees the inputs of all layers, and may replace their weights.
package protocol CalibrationObserver: AnyObject {
  /// Takes rows of a stage's input: each of the run's tokens once, in a fixed order.
  func observe(_ rows: StageRows) throws
  /// All rows of a stage were observed.
  ///
  /// - Returns: weights with which the run goes on, by layer; layers that are not named keep theirs. Ignored in runs that
  ///   only observe.
  func finish(_ stage: CalibrationStage) throws -> [TensorID: ReplacementWeights]
}
