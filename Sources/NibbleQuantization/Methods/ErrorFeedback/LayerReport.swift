/// What quantizing one layer with its statistics has achieved.
///
/// Objectives are mean square output errors a token, added over the outputs: the sum over rows of
/// (w - q)ᵀ H (w - q), where w is the target that the layer's inputs ask for.
public struct LayerReport: Hashable, Codable, Sendable {
  /// The objective of round-to-nearest, whose search knows nothing of the inputs.
  public var objectiveBefore: Double
  /// The objective of the result; never above `objectiveBefore`.
  public var objectiveAfter: Double
  /// What was added to the diagonal, as a share of its mean, for the factorization to succeed.
  public var damping: Double
  /// Whether no damping made the statistics positive definite, so that errors were not fed back.
  public var isDiagonal: Bool
  /// Columns whose inputs were always zero.
  public var deadColumnCount: Int
  /// Rows that kept their round-to-nearest codes, because nothing was better.
  public var unchangedRowCount: Int
  /// The share of the correction for changed inputs that was taken, since two halves of the tokens agreed on it; nil where inputs
  /// had not changed.
  public var correctionShare: Double?
  /// Whether there were too few tokens to correct or refine without fitting just these (``ErrorFeedback/refinementRounds``).
  public var isUndetermined = false

  /// `objectiveAfter / objectiveBefore`; 1 where both are zero.
  public var ratio: Double { objectiveBefore > 0 ? objectiveAfter / objectiveBefore : 1 }

  /// What a reader should know beside the numbers, a sentence each.
  public var notes: [String] {
    var notes: [String] = []
    if isDiagonal {
      notes.append("the statistics are not positive definite; errors were not fed back")
    }
    if isUndetermined { notes.append("saw fewer tokens than twice its inputs; not refined") }
    if deadColumnCount > 0 { notes.append("\(deadColumnCount) inputs were always zero") }
    if unchangedRowCount > 0 {
      notes.append("\(unchangedRowCount) rows keep the codes of round-to-nearest")
    }
    return notes
  }
}
