// Everything is drawn once the parts above are there.
if (rows.length) {
  front();
  parallel();
  slices();
  pairs();
  sorting();
  filtering();
  const asked = /^#point-(\d+)$/.exec(location.hash);
  if (asked && rows[asked[1] - 1]) pin(String(asked[1] - 1), true);
}
