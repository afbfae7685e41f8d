/** A page of links, in place of pages that were not built: enough to see that the process runs. */
export function plainPage(what: string, paths: Readonly<Record<string, string>>): string {
  const links = Object.entries(paths).map(([name, path]) => `<li><a href="${path}">${name}</a></li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast</title>
</head>
<body>
<h1>Holdfast</h1>
<p>${what} The API is:</p>
<ul>
${links.join('\n')}
</ul>
</body>
</html>
`;
}
