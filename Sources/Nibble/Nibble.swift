@_exported public import NibbleCheckpoints
@_exported public import NibbleEvaluation
@_exported public import NibbleModels
@_exported public import NibbleQuantization
@_exported public import NibbleTensors
@_exported public import NibbleWorkflows
