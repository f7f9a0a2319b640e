/** What decrypts the key that signs blocks: nothing that the engine has to know. */
const secrets = ["DCX_KEY_FILE_PASSWORD", "DCX_KEY_FILE_PASSWORD_COMMAND"];

/** The environment of a CometBFT with these settings: it reads every key of its config.toml from there too. */
export function engineEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !secrets.includes(name));
  const variables = Object.entries(settings).map(([key, value]) => [
    `CMT_${key.replaceAll(".", "_").replaceAll("-", "_").toUpperCase()}`,
    value,
  ]);
  return Object.fromEntries([...inherited, ...variables]);
}
