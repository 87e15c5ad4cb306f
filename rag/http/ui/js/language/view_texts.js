// The texts of the views Why, Evaluation and Service, which each of them imports.

import { addTexts, language } from "./texts.js";

addTexts((await import(`../../texts/views.${language}.js`)).default);
