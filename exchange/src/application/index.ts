export { Application, type ApplicationLog, type ApplicationOptions, FacilitatorMismatch } from "./application";
