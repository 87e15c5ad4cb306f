// The texts of the views Why, Evaluation and Service, which each of them imports.

import en from "../texts/views.en.js";
import zh from "../texts/views.zh.js";
import { addTexts } from "./texts.js";

addTexts({ en, zh });
