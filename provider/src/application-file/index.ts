export {
  type ApplicationFile,
  ApplicationFileError,
  type ApplicationFileIssue,
  type ApplicationFileOptions,
  parseApplicationFile,
} from "./application-file";
