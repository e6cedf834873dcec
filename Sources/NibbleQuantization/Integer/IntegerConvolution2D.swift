/// A two-dimensional convolution on 8-bit codes with 32-bit sums.
///
/// Each output position is a row of a linear layer on the patch that the kernel covers (``IntegerLinear``, where the
/// arithmetic is described). Padding has the code of zero, the input's zero-point, so that it adds nothing and each
/// patch has the same number of codes.
public struct IntegerConvolution2D: Sendable {
  public let shape: Convolution2DShape
  /// One layer a group.
  private let layers: [IntegerLinear]

  /// Prepares a convolution.
  ///
  /// - Parameters:
  ///   - weight: codes `[outputChannels, inputChannels / groups, kernel height, kernel width]`.
  ///   - shape: the sizes.
  ///   - weightScales: one scale, or one for each output channel; finite and > 0.
  ///   - weightZeroPoints: one zero-point, or one for each output channel.
  ///   - input: the scale and zero-point of the inputs.
  ///   - bias: a value for each output channel, or nil.
  /// - Throws: ``QuantizationError`` when sizes or counts do not fit each other, or as ``IntegerLinear`` does for the
  ///   weights of an output channel.
  public init(
    weight: [Int8], shape: Convolution2DShape, weightScales: [Float],
    weightZeroPoints: [Int8] = [0], input: IntegerScale, bias: [Float]? = nil
  ) throws(QuantizationError) {
    try shape.check()
    let channels = shape.outputChannels
    let area = shape.kernel.height * shape.kernel.width
    let (columnCount, isTooLarge) = area.multipliedReportingOverflow(
      by: shape.inputChannels / shape.groups)
    let (count, areTooMany) = columnCount.multipliedReportingOverflow(by: channels)
    guard !isTooLarge, !areTooMany, weight.count == count else {
      throw QuantizationError(
        .shape,
        "\(weight.count) weights are no \(channels) x \(shape.inputChannels / shape.groups) kernels "
          + "of \(shape.kernel.height) x \(shape.kernel.width)")
    }
    for (name, size) in [
      ("scales", weightScales.count), ("zero-points", weightZeroPoints.count),
      ("biases", bias?.count ?? channels),
    ] where size != channels && (size != 1 || name == "biases") {
      throw QuantizationError(.shape, "\(size) \(name) for \(channels) output channels")
    }
    let rowCount = channels / shape.groups
    var layers: [IntegerLinear] = []
    for group in 0..<shape.groups {
      let rows = group * rowCount..<(group + 1) * rowCount
      layers.append(
        try IntegerLinear(
          weight: Array(weight[rows.lowerBound * columnCount..<rows.upperBound * columnCount]),
          rowCount: rowCount, columnCount: columnCount,
          weightScales: weightScales.count == 1 ? weightScales : Array(weightScales[rows]),
          weightZeroPoints: weightZeroPoints.count == 1
            ? weightZeroPoints : Array(weightZeroPoints[rows]),
          input: input, bias: bias.map { Array($0[rows]) }))
    }
    self.shape = shape
    self.layers = layers
  }

  /// The value of one step of each output channel's sums.
  public var outputSteps: [Double] { layers.flatMap(\.outputSteps) }

  /// The sums `[batch, outputChannels, output height, output width]` in steps of ``outputSteps``; exact.
  ///
  /// - Parameters:
  ///   - codes: `[batch, inputChannels, height, width]`, row-major.
  ///   - batch: the number of images.
  ///   - image: height and width of each.
  /// - Returns: the sums.
  /// - Throws: ``QuantizationError/Code/shape`` when the kernel does not fit into the image.
  public func sums(
    of codes: UnsafeBufferPointer<Int8>, batch: Int, image: Convolution2DShape.Pair
  ) throws(QuantizationError) -> [Int32] {
    let output = try shape.output(for: image)
    precondition(
      codes.count == batch * shape.inputChannels * image.height * image.width,
      "images are [batch, channels, height, width]")
    var sums = [Int32](
      repeating: 0, count: batch * shape.outputChannels * output.height * output.width)
    let columnCount = shape.columnCount
    var patches = [Int8](repeating: 0, count: output.width * columnCount)
    for picture in 0..<batch {
      for (group, layer) in layers.enumerated() {
        for y in 0..<output.height {
          fill(&patches, codes, picture, group, y, image, output.width)
          let row = patches.withUnsafeBufferPointer { layer.sums(of: $0, count: output.width) }
          for channel in 0..<layer.rowCount {
            let plane = picture * shape.outputChannels + group * layer.rowCount + channel
            let start = (plane * output.height + y) * output.width
            for x in 0..<output.width { sums[start + x] = row[x * layer.rowCount + channel] }
          }
        }
      }
    }
    return sums
  }

  /// The outputs as values: the exact sums times their steps, rounded once. Parameters are those of `sums`.
  public func callAsFunction(
    _ codes: UnsafeBufferPointer<Int8>, batch: Int, image: Convolution2DShape.Pair
  ) throws(QuantizationError) -> [Float] {
    let sums = try sums(of: codes, batch: batch, image: image)
    let output = try shape.output(for: image)
    let steps = outputSteps
    return sums.indices.map {
      Float(Double(sums[$0]) * steps[$0 / (output.height * output.width) % steps.count])
    }
  }

  /// The outputs as codes, by integer arithmetic alone.
  ///
  /// - Parameters:
  ///   - codes: `[batch, inputChannels, height, width]`, row-major.
  ///   - batch: the number of images.
  ///   - image: height and width of each.
  ///   - output: the scale (finite, > 0) and zero-point of the outputs.
  ///   - range: codes outside are cut; from the zero-point upward it is a rectifier.
  /// - Returns: codes `[batch, outputChannels, output height, output width]`.
  /// - Throws: ``QuantizationError/Code/shape`` when the kernel does not fit into the image.
  public func codes(
    of codes: UnsafeBufferPointer<Int8>, batch: Int, image: Convolution2DShape.Pair,
    output: IntegerScale, within range: ClosedRange<Int8> = -128...127
  ) throws(QuantizationError) -> [Int8] {
    let sums = try sums(of: codes, batch: batch, image: image)
    let size = try shape.output(for: image)
    let requantizers = layers.flatMap { $0.requantizers(output: output, within: range) }
    return sums.indices.map {
      requantizers[$0 / (size.height * size.width) % requantizers.count](sums[$0])
    }
  }

  /// Copies what the kernel covers at each position of one output row: `[output width, columnCount]`.
  private func fill(
    _ patches: inout [Int8], _ codes: UnsafeBufferPointer<Int8>, _ picture: Int, _ group: Int,
    _ y: Int, _ image: Convolution2DShape.Pair, _ width: Int
  ) {
    let padding = layers[group].input.zeroPoint
    let channelCount = shape.inputChannels / shape.groups
    let firstChannel = picture * shape.inputChannels + group * channelCount
    var column = 0
    for channel in 0..<channelCount {
      for kernelY in 0..<shape.kernel.height {
        let row = y * shape.stride.height - shape.padding.height + kernelY * shape.dilation.height
        let start = ((firstChannel + channel) * image.height + row) * image.width
        for kernelX in 0..<shape.kernel.width {
          let first = kernelX * shape.dilation.width - shape.padding.width
          for x in 0..<width {
            let place = first + x * shape.stride.width
            let isInside =
              row >= 0 && row < image.height && place >= 0 && place < image.width
            patches[x * shape.columnCount + column] = isInside ? codes[start + place] : padding
          }
          column += 1
        }
      }
    }
  }
}
