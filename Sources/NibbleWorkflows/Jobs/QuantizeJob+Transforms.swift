internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization

extension QuantizeJob {
  /// The text that transforms take: that of the calibration, or the text that comes with Nibble.
  private var transformText: CalibratedQuantization {
    if let calibration { return calibration }
    var calibration = CalibratedQuantization()
    calibration.method = .rtn
    return calibration
  }

  /// Whether the text that comes with Nibble is run.
  var usesBuiltInText: Bool {
    guard calibration != nil || !transforms.isEmpty else { return false }
    return transformText.text == nil && transformText.importance == nil
  }

  /// Refuses transforms without a text, and limits where the method finds its own.
  func requireTransforms() throws(RecipeError) {
    if !transforms.isEmpty, calibration?.importance != nil {
      throw RecipeError(
        "--transform needs a text to run through the model, not an importance matrix")
    }
    guard let calibration, calibration.clipping != .none else { return }
    guard calibration.importance == nil else {
      throw RecipeError("--clip needs a text to run through the model, not an importance matrix")
    }
    guard calibration.method == .rtn else {
      throw RecipeError(
        "--clip is for round-to-nearest: \(calibration.method.rawValue) searches scales of its own")
    }
  }

  /// Refuses limits for a scheme whose groups have none, in the layers that would be cut.
  func requireClipping(_ task: TensorTask, _ scheme: Scheme) throws(RecipeError) {
    guard calibration?.clipping == .everywhere, task.id?.block != nil,
      let obstacle = ClipSearch.obstacle(to: scheme)
    else { return }
    throw RecipeError("\(task.name): --clip does not apply to \(task.type.name): \(obstacle)")
  }

  /// Runs the transforms; gives the scaled tensors, their factors, and what was found, or nil without transforms.
  func transform(
    _ tasks: [TensorTask], of model: LanguageModel, spillFolder: String,
    _ environment: JobEnvironment
  ) throws -> (tasks: [TensorTask], scaling: ChannelScaling, report: ScalingReport)? {
    guard transforms.contains(.awq) else { return nil }
    let search = ScalingSearch(model: model, tasks: tasks, calibration: transformText)
    let (scaling, report) = try search.run(spillFolder: spillFolder, environment)
    let naming: TensorNaming = chosenFormat == .gguf ? .gguf : .huggingFace
    return (
      tasks.map { $0.scaled(by: scaling, of: model.source, in: naming) }, scaling, report
    )
  }
}
