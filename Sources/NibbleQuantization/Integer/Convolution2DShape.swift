/// The sizes of a two-dimensional convolution, named as in torch.nn.Conv2d; padding is the same on opposite sides.
public struct Convolution2DShape: Hashable, Codable, Sendable {
  /// Sizes along the height and the width of an image.
  public struct Pair: Hashable, Codable, Sendable {
    public var height: Int
    public var width: Int

    public init(height: Int, width: Int) {
      self.height = height
      self.width = width
    }
  }

  public var inputChannels: Int
  public var outputChannels: Int
  public var kernel: Pair
  public var stride = Pair(height: 1, width: 1)
  public var padding = Pair(height: 0, width: 0)
  public var dilation = Pair(height: 1, width: 1)
  /// Input and output channels fall into so many groups that do not see each other.
  public var groups = 1

  public init(
    inputChannels: Int, outputChannels: Int, kernel: Pair,
    stride: Pair = Pair(height: 1, width: 1), padding: Pair = Pair(height: 0, width: 0),
    dilation: Pair = Pair(height: 1, width: 1), groups: Int = 1
  ) {
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.kernel = kernel
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
  }

  /// The largest kernel, stride, padding and dilation, and number of channels.
  static let limit = 1 << 20

  /// Weights of one output channel: `inputChannels / groups · kernel.height · kernel.width`.
  var columnCount: Int { inputChannels / groups * kernel.height * kernel.width }

  /// Checks that the sizes fit each other.
  func check() throws(QuantizationError) {
    let positive = [
      inputChannels, outputChannels, kernel.height, kernel.width, stride.height, stride.width,
      dilation.height, dilation.width, groups,
    ]
    guard positive.allSatisfy({ (1...Self.limit).contains($0) }),
      (0...Self.limit).contains(padding.height), (0...Self.limit).contains(padding.width)
    else {
      throw QuantizationError(
        .shape, "the sizes of a convolution lie between 1 and \(Self.limit), padding from 0")
    }
    guard inputChannels % groups == 0, outputChannels % groups == 0 else {
      throw QuantizationError(
        .shape,
        "\(inputChannels) input and \(outputChannels) output channels do not fall into \(groups) groups"
      )
    }
  }

  /// The size of the output for an image, `⌊(size + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1`.
  ///
  /// - Throws: ``QuantizationError/Code/shape`` when sizes do not fit each other, when the image is empty or smaller
  ///   than the kernel, or when the output has more than 2³¹ - 1 elements.
  public func output(for image: Pair) throws(QuantizationError) -> Pair {
    try check()
    let sizes = 1...1 << 30
    guard sizes.contains(image.height), sizes.contains(image.width) else {
      throw QuantizationError(
        .shape, "an image cannot have \(image.height) x \(image.width) pixels")
    }
    let height = image.height + 2 * padding.height - dilation.height * (kernel.height - 1) - 1
    let width = image.width + 2 * padding.width - dilation.width * (kernel.width - 1) - 1
    guard height >= 0, width >= 0 else {
      throw QuantizationError(
        .shape, "the kernel does not fit into an image of \(image.height) x \(image.width)")
    }
    let output = Pair(height: height / stride.height + 1, width: width / stride.width + 1)
    guard output.height <= Int(Int32.max) / output.width / outputChannels else {
      throw QuantizationError(
        .shape, "an output of \(outputChannels) x \(output.height) x \(output.width) is too large")
    }
    return output
  }
}
