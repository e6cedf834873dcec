public import ArgumentParser
public import Nibble

extension CacheType: ExpressibleByArgument {}

/// How a command keeps keys and values.
struct CacheOptions: ParsableArguments {
  @Option(
    help: """
      The format of the keys and values of earlier tokens; f32 rounds nothing, q8_0 takes half the memory of f16.
      """)
  var cacheType = CacheType.float16
}
