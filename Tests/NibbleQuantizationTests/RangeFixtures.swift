import Foundation
import TestSupport

/// The contents of a fixture made by scripts/fixtures/ranges.py or integer.py.
func rangeFixture<T: Decodable>(_ path: String, as type: T.Type) throws -> T {
  try JSONDecoder().decode(type, from: Data(contentsOf: URL(filePath: Fixtures.path(path))))
}
