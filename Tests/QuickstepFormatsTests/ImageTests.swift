import Foundation
import QuickstepFormats
import QuickstepTensor
import Testing

@Suite struct ImageTests {
  @Test func sizesMustFit() {
    #expect(throws: FormatError.self) { try PixelImage(width: 2, height: 2, channels: 3, pixels: [1]) }
    #expect(throws: FormatError.self) { try PixelImage(width: 0, height: 2, channels: 3, pixels: []) }
    #expect(throws: FormatError.self) { try PixelImage(width: 1, height: 1, channels: 1, pixels: [1]) }
    #expect(throws: FormatError.self) { try PixelImage(width: .max, height: .max, channels: 4, pixels: [1]) }
  }

  @Test func compositing() throws {
    let image = try PixelImage(width: 3, height: 1, channels: 4, pixels: [10, 20, 30, 255, 10, 20, 30, 0, 100, 100, 100, 128])
    let result = image.composited(over: RGBColor(200, 0, 255))
    // 100 * 128/255 + b * 127/255
    #expect(result.pixels == [10, 20, 30, 200, 0, 255, 150, 50, 177])
    #expect(image.hasTransparency && !result.hasTransparency)
    #expect(result.withAlpha().composited(over: .white) == result)
  }

  @Test func enlarging() throws {
    let image = try PixelImage(width: 2, height: 1, channels: 3, pixels: [1, 2, 3, 4, 5, 6])
    #expect(image.enlarged(by: 2).pixels == [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6, 1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6])
  }

  @Test func bytesSurviveTheWayThroughNumbers() throws {
    let pixels = (0..<(16 * 16 * 3)).map { UInt8($0 % 256) }
    let image = try PixelImage(width: 16, height: 16, channels: 3, pixels: pixels)
    let tensor = try image.tensor()
    #expect(tensor.shape == [3, 16, 16])
    #expect(try PixelImage(tensor: tensor) == image)
    #expect(try PixelImage.images(from: try PixelImage.batch([image, image])) == [image, image])
  }

  @Test func numbersAreRoundedHalfToEvenAndCutOff() throws {
    // x / 2 + 0.5 = 0.5 gives 127.5, which rounds to the even 128; the next lower float stays below.
    let values: [Float] = [0, -3, 3, -1, 1, -0.5]
    let image = try PixelImage(tensor: Tensor(values.flatMap { [$0] }, shape: [3, 1, 2]))
    #expect(image.pixels == [128, 255, 255, 0, 0, 64])
  }

  @Test func whatIsNoPictureIsRefused() throws {
    let grey = try PixelImage(tensor: Tensor([-1, 1] as [Float], shape: [1, 1, 2]))
    #expect(grey.pixels == [0, 0, 0, 255, 255, 255] && grey.channels == 3)
    #expect(throws: FormatError.self) { try PixelImage(tensor: Tensor([Float.nan, 0, 0], shape: [3, 1, 1])) }
    #expect(throws: FormatError.self) { try PixelImage(tensor: Tensor([Float](repeating: 0, count: 4), shape: [2, 2])) }
    #expect(throws: FormatError.self) { try PixelImage(tensor: Tensor([Int64](repeating: 0, count: 3), shape: [3, 1, 1])) }
    #expect(throws: FormatError.self) { try PixelImage(tensor: Tensor([Float](repeating: 0, count: 6), shape: [2, 3, 1, 1])) }
    #expect(throws: FormatError.self) { try PixelImage.batch([]) }
  }

  @Test func contactSheet() throws {
    let images = (0..<5).map { PixelImage(width: 8, height: 6, fill: RGBColor(UInt8($0 * 40), 0, 0)) }
    let sheet = try ContactSheet.make(images, columns: 3, gap: 2)
    #expect(sheet.width == 3 * 10 + 2 && sheet.height == 2 * 8 + 2)
    let second = (2 * sheet.width + 12) * 3
    #expect(Array(sheet.pixels[second..<(second + 3)]) == [40, 0, 0])
    #expect(try ContactSheet.make(images, labels: ["a", "long label"]).height > sheet.height)
    #expect(throws: FormatError.self) { try ContactSheet.make([]) }
  }

  @Test func plotsOfAnyValues() {
    let strange: [[Double]] = [
      [], [1], [3, 3, 3], [0, -1], [.nan, .infinity, 1], [1e300, -1e300], [.greatestFiniteMagnitude, -.greatestFiniteMagnitude],
      [.leastNonzeroMagnitude, 1e-300, 1e300], [1e15, 1e15 + 1], (0..<500).map { exp(-Double($0) / 50) },
    ]
    for values in strange {
      for logarithmic in [false, true] {
        let series = [LinePlot.Series("loss", values), LinePlot.Series("x", values.map { ($0, 1) })]
        let plot = LinePlot(title: "Loss", xLabel: "step", yLabel: "loss", isLogarithmic: logarithmic, series: series)
        let image = plot.image(width: 240, height: 160)
        #expect(image.width == 240 && image.height == 160)
      }
    }
  }

  @Test("single points of 64 ways can be told apart")
  func marks() {
    let pictures = (0..<64).map { index in
      let series = (0..<64).map { LinePlot.Series("", $0 == index ? [(x: 1, y: 1)] : []) }
      var plot = LinePlot(title: "", series: series)
      plot.marksPoints = true
      return plot.image(width: 240, height: 160).pixels
    }
    #expect(Set(pictures).count == 64)
  }

  @Test("a legend outside the plot shows every name: the picture grows with it")
  func longLegend() {
    func image(_ count: Int, outside: Bool = true) -> PixelImage {
      var plot = LinePlot(title: "Many", series: (0..<count).map { LinePlot.Series("way \($0)", [1, Double($0)]) })
      plot.hasLegendOutside = outside
      return plot.image(width: 960, height: 600)
    }
    #expect(image(5).height == 600 && image(40, outside: false).height == 600)
    let long = image(40)
    #expect(long.height > 40 * 13 * 2)
    // The last name's row has ink to the right of the plot, and below it the picture is white.
    func ink(_ image: PixelImage, rows: Range<Int>) -> Int {
      rows.reduce(0) { count, y in
        count + (image.width - 110..<image.width).count { x in image.pixels[(y * image.width + x) * image.channels] < 128 }
      }
    }
    let last = (long.height * 2 / 3..<long.height).last { ink(long, rows: $0..<$0 + 1) > 0 } ?? 0
    #expect(last < long.height - 10 && last > 40 * 13 * 2)
  }
}
