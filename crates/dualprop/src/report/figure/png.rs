//! An SVG as pixels, by the fonts that come with the library: those of the machine would make other pictures elsewhere.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

/// Parts of Noto Sans; `fonts/README.md` says which and how they were made.
const REGULAR: &[u8] = include_bytes!("../../../fonts/NotoSans-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../../fonts/NotoSans-Bold.ttf");
const MATH: &[u8] = include_bytes!("../../../fonts/NotoSansMath-Regular.ttf");

/// Pixels for each unit of a figure.
const SCALE: f32 = 3.0;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    [REGULAR, BOLD, MATH].into_iter().for_each(|font| fonts.load_font_data(font.to_vec()));
    Arc::new(fonts)
});

/// The picture of an SVG that this module's neighbours have written.
pub(super) fn of_svg(svg: &str) -> Vec<u8> {
    let options = Options { fontdb: FONTS.clone(), font_family: "Noto Sans".into(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).expect("the renderer writes SVG that can be read: a test draws every mark");
    let [width, height] = [tree.size().width(), tree.size().height()].map(|length| (SCALE * length).ceil() as u32);
    let mut pixels =
        Pixmap::new(width.max(1), height.max(1)).expect("a figure is some thousand pixels wide, and no dimension is 0");
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().expect("pixels in memory can be encoded: nothing is read or written")
}

/// The fonts of figures as a style sheet that a page embeds.
pub(in crate::report) fn font_face() -> String {
    let face = |family: &str, weight: &str, font: &[u8]| {
        let data = BASE64.encode(font);
        format!(
            "@font-face{{font-family:\"{family}\";font-weight:{weight};src:url(data:font/ttf;base64,{data}) format(\"truetype\")}}"
        )
    };
    [face("Noto Sans", "400", REGULAR), face("Noto Sans", "700", BOLD), face("Noto Sans Math", "400", MATH)].concat()
}
